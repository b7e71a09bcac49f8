;; SPDX-License-Identifier: GPL-2.0-only
;; Large arrays that become garbage, and full collections, until the file named exists; new arrays have to be zero.
(defvar *stop* (first (last sb-ext:*posix-argv*)))
(defvar *kept* nil)

(defun one-round ()
  (setf *kept* (loop repeat 8
                     collect (make-array 300000 :element-type '(unsigned-byte 8) :initial-element 170)))
  (unless (every (lambda (array) (= 170 (aref array 299999))) *kept*)
    (format t "wrong: an array has changed~%")
    (sb-ext:exit :code 1 :abort t))
  (setf *kept* nil)
  (sb-ext:gc :full t)
  (when (find 170 (make-array 300000 :element-type '(unsigned-byte 8)))
    (format t "wrong: a new array is not zero~%")
    (sb-ext:exit :code 1 :abort t)))

(format t "ready~%")
(finish-output)
(let ((rounds 0))
  (loop do (one-round)
           (incf rounds)
        until (probe-file *stop*))
  (format t "~d rounds~%" rounds))
