// SPDX-License-Identifier: GPL-2.0-only
/*
 * The process that a call is about: how it is found, and which callers may lock it or
 * look at it.
 *
 * That is decided as ptrace(2) decides it: by IDs, capabilities, user namespaces and
 * dumpable.  The security modules that ptrace(2) asks as well are not asked: SELinux,
 * AppArmor and Smack by their rules for ptrace, Yama by kernel.yama.ptrace_scope, Landlock
 * by the domain of the caller.  ptrace_may_access() and the hook behind it are exported by
 * no kernel.  These modules are asked where the kernel does so by itself: for the device,
 * when it is opened and at each ioctl(2); for each capability; and for /proc/PID/mem, when
 * that is opened, so that who names a target by such a file has been allowed to ptrace it.
 * To open one here, for a target that is named otherwise, would ask about a path in
 * whatever the caller has mounted at /proc.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/memlockd.h>
#include <linux/pid.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>

#include "compat.h"
#include "target.h"

/* vm.memlockd.unprivileged_mlock and old_mlock: see sysctl.h. */
int mlkd_unprivileged_mlock;
int mlkd_old_mlock;

/* This does what pidfd_pid() does, which is not exported. */
static struct pid *file_pid(struct file *file)
{
	struct pid *pid = mlkd_pidfd_pid(file);

	return pid ? get_pid(pid) : ERR_PTR(-EINVAL);
}

static struct pid *pid_of_pidfd(int fd)
{
	struct file *file = fget(fd);
	struct pid *pid;

	if (!file)
		return ERR_PTR(-EBADF);
	pid = file_pid(file);
	fput(file);
	return pid;
}

/* Returns the leader of a process that has @mm. */
static struct task_struct *task_of_mm(struct mm_struct *mm)
{
	struct task_struct *task = NULL, *t;

	rcu_read_lock();
#ifdef CONFIG_MEMCG
	t = rcu_dereference(mm->owner);
	if (t)
		task = t->group_leader;
#else
	for_each_process(t) {
		if (READ_ONCE(t->mm) == mm) {
			task = t;
			break;
		}
	}
#endif
	if (task)
		get_task_struct(task);
	rcu_read_unlock();
	return task ?: ERR_PTR(-ESRCH);
}

/* proc_mem_operations is static; a file of ours shows where it is. */
static const struct file_operations *proc_mem_ops __ro_after_init;

int __init mlkd_targets_init(void)
{
	struct file *file = filp_open("/proc/self/mem", O_RDONLY, 0);

	if (IS_ERR(file)) {
		pr_info("memlockd: no /proc/self/mem (%pe): MEMLOCKD_TARGET_PROC_MEM does not work\n",
			file);
		return 0;
	}
	proc_mem_ops = file->f_op;
	filp_close(file, NULL);
	return 0;
}

/* Finds the process of a file, and sets *@mm to its address space, with mm_count held. */
static struct task_struct *task_of_proc_mem(int fd, struct mm_struct **mm)
{
	struct file *file = fget(fd);
	struct task_struct *task;

	if (!file)
		return ERR_PTR(-EBADF);
	*mm = NULL;
	task = ERR_PTR(-EINVAL);
	if (proc_mem_ops && file->f_op == proc_mem_ops) {
		*mm = file->private_data;
		task = *mm ? task_of_mm(*mm) : ERR_PTR(-ESRCH);
	}
	if (!IS_ERR(task))
		mmgrab(*mm);
	fput(file);
	return task;
}

static struct task_struct *task_of_pid(struct pid *pid)
{
	struct task_struct *task;

	if (IS_ERR(pid))
		return ERR_CAST(pid);
	task = get_pid_task(pid, PIDTYPE_TGID);
	put_pid(pid);
	return task ?: ERR_PTR(-ESRCH);
}

/* Returns the address space of a process, whose leader may have exited before its threads. */
static struct mm_struct *mm_of_task(struct task_struct *task)
{
	struct mm_struct *mm = get_task_mm(task);
	struct task_struct *t;

	if (mm)
		return mm;

	rcu_read_lock();
	for_each_thread(task, t) {
		mm = get_task_mm(t);
		if (mm)
			break;
	}
	rcu_read_unlock();
	return mm;
}

/* Says whether a process is the caller's own, and no set-user-ID program. */
static bool callers_own(struct task_struct *task, struct mm_struct *mm,
			const struct cred *tcred)
{
	const struct cred *cred = current_cred();

	return uid_eq(cred->uid, tcred->euid) && uid_eq(cred->uid, tcred->suid) &&
	       uid_eq(cred->uid, tcred->uid) && gid_eq(cred->gid, tcred->egid) &&
	       gid_eq(cred->gid, tcred->sgid) && gid_eq(cred->gid, tcred->gid) &&
	       mlkd_dumpable(task, mm);
}

/* Says whether a process has no capability that the caller lacks. */
static bool no_more_capable(const struct cred *tcred)
{
	const struct cred *cred = current_cred();

	return tcred->user_ns == cred->user_ns &&
	       cap_issubset(tcred->cap_permitted, cred->cap_effective);
}

/*
 * Says whether the caller may lock @task, which has @mm.  Memory belongs to the whole
 * machine, so that root of a user namespace has no privilege here.  CAP_IPC_LOCK makes up
 * for other capabilities that a process of the same user has.
 */
static bool may_lock(struct task_struct *task, struct mm_struct *mm,
		     const struct cred *tcred, bool proved)
{
	bool privileged = capable(CAP_IPC_LOCK);

	if (!privileged && !READ_ONCE(mlkd_unprivileged_mlock))
		return false;
	if (privileged && (proved || same_thread_group(task, current)))
		return true;
	if (!privileged && !same_thread_group(task, current) && !no_more_capable(tcred) &&
	    !ns_capable(tcred->user_ns, CAP_SYS_PTRACE))
		return false;
	return callers_own(task, mm, tcred) ||
	       (privileged && ns_capable(tcred->user_ns, CAP_SYS_PTRACE) &&
		(mlkd_dumpable(task, mm) || mlkd_mm_capable(task, mm, CAP_SYS_PTRACE)));
}

/*
 * Says whether the caller may look at the lock of @task.  Everybody can read in /proc how
 * much a process has locked, and how often it faults.  The user's own processes count as
 * such whatever program they run.
 */
static bool may_look(struct task_struct *task, const struct cred *tcred, bool proved)
{
	return proved || same_thread_group(task, current) ||
	       uid_eq(current_uid(), tcred->uid) || capable(CAP_IPC_LOCK) ||
	       ns_capable(tcred->user_ns, CAP_SYS_PTRACE);
}

/*
 * Says whether /proc/PID/maps would show the caller the memory of @task, which has @mm.
 */
static bool may_see_addresses(struct task_struct *task, struct mm_struct *mm,
			      const struct cred *tcred, bool proved)
{
	if (proved || same_thread_group(task, current))
		return true;
	if (callers_own(task, mm, tcred) && no_more_capable(tcred))
		return true;
	return ns_capable(tcred->user_ns, CAP_SYS_PTRACE) &&
	       (mlkd_dumpable(task, mm) || mlkd_mm_capable(task, mm, CAP_SYS_PTRACE));
}

/* Says whether the caller may do what @purpose says, and sets @target->addresses. */
static int check_access(struct mlkd_target *target, struct task_struct *task,
			struct mm_struct *mm, bool proved, enum mlkd_purpose purpose)
{
	const struct cred *tcred = get_task_cred(task);
	bool may = purpose == MLKD_TO_LOCK ? may_lock(task, mm, tcred, proved) :
					 may_look(task, tcred, proved);

	target->addresses = may && purpose == MLKD_TO_LOOK &&
			    may_see_addresses(task, mm, tcred, proved);
	put_cred(tcred);
	return may ? 0 : -EPERM;
}

/**
 * mlkd_target_get - find the process that a call names, if the caller may do that
 * @target: set on success, to be given to mlkd_target_put()
 * @type: &enum memlockd_target_type
 * @id: as @type says
 * @purpose: what the caller is going to do with it
 *
 * The caller is checked at each call, as it need not be the one that opened the device.
 *
 * Return: 0; -EPERM; -ESRCH when there is no such process or it has no address
 * space; -EINVAL or -EBADF when @id is not what @type says; -EINTR.
 */
int mlkd_target_get(struct mlkd_target *target, u32 type, s32 id,
		    enum mlkd_purpose purpose)
{
	struct mm_struct *mm, *proved = NULL;
	struct task_struct *task;
	int err;

	switch (type) {
	case MEMLOCKD_TARGET_PID:
		task = task_of_pid(id ? find_get_pid(id) :
				   get_task_pid(current, PIDTYPE_TGID));
		break;
	case MEMLOCKD_TARGET_PIDFD:
		task = task_of_pid(pid_of_pidfd(id));
		break;
	case MEMLOCKD_TARGET_PROC_MEM:
		task = task_of_proc_mem(id, &proved);
		break;
	default:
		return -EINVAL;
	}
	if (IS_ERR(task))
		return PTR_ERR(task);

	/* An execve() in between would give it another mm, and other credentials. */
	err = -EINTR;
	if (down_read_killable(&task->signal->exec_update_lock))
		goto out_task;
	err = -ESRCH;
	mm = task->flags & PF_KTHREAD ? NULL : mm_of_task(task);
	if (mm && (!proved || mm == proved))
		err = check_access(target, task, mm, proved, purpose);
	up_read(&task->signal->exec_update_lock);
	if (!err) {
		mmgrab(mm);
		target->task = task;
		target->mm = mm;
	}
	if (mm)
		mmput(mm);
out_task:
	if (proved)
		mmdrop(proved);
	if (err)
		put_task_struct(task);
	return err;
}

/**
 * mlkd_target_of - have a process as a target, for who need not be permitted
 * @target: set on success, to be given to mlkd_target_put()
 * @task: a thread of the process, to which the caller has a reference, or current
 *
 * Return: 0; -ESRCH when it has no address space.
 */
int mlkd_target_of(struct mlkd_target *target, struct task_struct *task)
{
	struct mm_struct *mm;

	if (task->flags & PF_KTHREAD)
		return -ESRCH;
	/* The leader of a thread that has just ended may have been freed. */
	task = task_of_pid(get_task_pid(task, PIDTYPE_TGID));
	if (IS_ERR(task))
		return PTR_ERR(task);
	mm = mm_of_task(task);
	if (!mm) {
		put_task_struct(task);
		return -ESRCH;
	}
	mmgrab(mm);
	mmput(mm);
	target->task = task;
	target->mm = mm;
	target->addresses = false;
	return 0;
}

void mlkd_target_put(struct mlkd_target *target)
{
	mmdrop(target->mm);
	put_task_struct(target->task);
}

/**
 * mlkd_target_gone - say whether it is no use to go on
 * @task: the process
 * @mm: its address space when the call began, of which the caller holds a user
 *
 * A process that is killed cannot be freed before we let it go, so callers look often.
 */
bool mlkd_target_gone(struct task_struct *task, struct mm_struct *mm)
{
	return (READ_ONCE(task->signal->flags) & SIGNAL_GROUP_EXIT) ||
	       atomic_read(&mm->mm_users) == 1;
}

/**
 * mlkd_mm_killed - mlkd_target_gone() for who knows of no process
 * @mm: the address space, of which the caller holds a user
 */
bool mlkd_mm_killed(struct mm_struct *mm)
{
	struct task_struct *task;
	bool killed;

	if (atomic_read(&mm->mm_users) == 1)
		return true;
	task = task_of_mm(mm);
	if (IS_ERR(task))
		return true;
	killed = READ_ONCE(task->signal->flags) & SIGNAL_GROUP_EXIT;
	put_task_struct(task);
	return killed;
}

unsigned long mlkd_target_memlock_limit(struct task_struct *task)
{
	return task_rlimit(task, RLIMIT_MEMLOCK);
}

/* The core kernel does not hold a process with CAP_IPC_LOCK to the limit. */
static bool ignores_limit(struct task_struct *task)
{
	const struct cred *cred = get_task_cred(task);
	bool ret = cred->user_ns == &init_user_ns &&
		   cap_raised(cred->cap_effective, CAP_IPC_LOCK);

	put_cred(cred);
	return ret;
}

/* Says whether RLIMIT_MEMLOCK, which *@limit is set to, allows less than @pages. */
bool mlkd_target_over_limit(struct task_struct *task, unsigned long pages,
			    unsigned long *limit)
{
	*limit = mlkd_target_memlock_limit(task);
	return pages > *limit >> PAGE_SHIFT && !ignores_limit(task);
}

/*
 * Says whether RLIMIT_MEMLOCK of the process that has @mm allows less than @pages.  Called
 * from mmu notifiers, too.
 */
bool mlkd_mm_over_limit(struct mm_struct *mm, unsigned long pages)
{
	struct task_struct *task = task_of_mm(mm);
	unsigned long limit;
	bool over;

	if (IS_ERR(task))
		return false;
	over = mlkd_target_over_limit(task, pages, &limit);
	put_task_struct(task);
	return over;
}

/*
 * Says whether @pages more may be locked of @mm, which @task has.  A stack that grows
 * counts as if it were locked.
 */
bool mlkd_target_has_room(struct task_struct *task, struct mm_struct *mm, unsigned long pages)
{
	unsigned long limit;

	return !mlkd_target_over_limit(task, READ_ONCE(mm->locked_vm) + READ_ONCE(mm->stack_vm) +
				       pages, &limit);
}

/* Says whether nothing but its own CAP_IPC_LOCK lets the process have @pages locked. */
bool mlkd_target_limit_waived(struct task_struct *task, unsigned long pages)
{
	return pages > mlkd_target_memlock_limit(task) >> PAGE_SHIFT && ignores_limit(task);
}

static void sum_faults(struct task_struct *task, u64 *minor, u64 *major)
{
	struct task_struct *t;

	*minor = task->signal->min_flt;
	*major = task->signal->maj_flt;
	for_each_thread(task, t) {
		*minor += t->min_flt;
		*major += t->maj_flt;
	}
}

/* Counts the page faults of all threads, those that have exited included. */
void mlkd_target_faults(struct task_struct *task, u64 *minor, u64 *major)
{
	seqlock_t *lock = &task->signal->stats_lock;
	unsigned long flags;
	unsigned int seq;

	rcu_read_lock();
	seq = read_seqbegin(lock);
	sum_faults(task, minor, major);
	/* A thread has exited meanwhile, and may be counted twice or not at all. */
	if (read_seqretry(lock, seq)) {
		read_seqlock_excl_irqsave(lock, flags);
		sum_faults(task, minor, major);
		read_sequnlock_excl_irqrestore(lock, flags);
	}
	rcu_read_unlock();
}
