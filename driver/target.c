// SPDX-License-Identifier: GPL-2.0-only
/*
 * The process that a call is about: who it is, and who may lock it.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/memlockd.h>
#include <linux/pid.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>

#include "compat.h"
#include "target.h"

/*
 * pidfd_pid() is not exported.  A pidfd is an anonymous file of that name, which
 * no one but the kernel can give.
 */
static struct pid *file_pid(struct file *file)
{
	if (file_inode(file)->i_sb->s_magic != ANON_INODE_FS_MAGIC ||
	    strcmp(file->f_path.dentry->d_name.name, "[pidfd]"))
		return ERR_PTR(-EINVAL);
	return get_pid(file->private_data);
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

/**
 * mlkd_target_get - find the process that a call names
 * @type: &enum memlockd_target_type
 * @id: as @type says
 *
 * Return: the leader of the process, or ERR_PTR().
 */
struct task_struct *mlkd_target_get(u32 type, s32 id)
{
	struct task_struct *task;
	struct pid *pid;

	switch (type) {
	case MEMLOCKD_TARGET_PID:
		pid = id ? find_get_pid(id) : get_task_pid(current, PIDTYPE_TGID);
		break;
	case MEMLOCKD_TARGET_PIDFD:
		pid = pid_of_pidfd(id);
		break;
	default:
		return ERR_PTR(-EINVAL);
	}
	if (IS_ERR(pid))
		return ERR_CAST(pid);
	task = get_pid_task(pid, PIDTYPE_TGID);
	put_pid(pid);
	if (!task)
		return ERR_PTR(-ESRCH);
	if (task->flags & PF_KTHREAD) {
		put_task_struct(task);
		return ERR_PTR(-ESRCH);
	}
	return task;
}

/**
 * mlkd_target_permitted - may the caller lock @task?
 * @task: the process
 *
 * Memory is the machine's, so that root of a user namespace is nobody here.
 * Asked at each call, of the caller, who need not be who opened the device.
 *
 * Return: 0 or -EPERM.
 */
int mlkd_target_permitted(struct task_struct *task)
{
	const struct cred *cred = current_cred(), *tcred;
	int ret = 0;

	if (!capable(CAP_IPC_LOCK))
		return -EPERM;
	if (same_thread_group(task, current))
		return 0;

	/* As ptrace(2) decides whose process it is. */
	tcred = get_task_cred(task);
	if (!(uid_eq(cred->uid, tcred->euid) && uid_eq(cred->uid, tcred->suid) &&
	      uid_eq(cred->uid, tcred->uid) && gid_eq(cred->gid, tcred->egid) &&
	      gid_eq(cred->gid, tcred->sgid) && gid_eq(cred->gid, tcred->gid)) &&
	    !ns_capable(tcred->user_ns, CAP_SYS_PTRACE))
		ret = -EPERM;
	put_cred(tcred);
	return ret;
}

/**
 * mlkd_target_mm - the address space of @task
 * @task: leader of the process
 *
 * The leader may have exited before its threads.
 *
 * Return: the address space, to be given to mmput(), or NULL.
 */
struct mm_struct *mlkd_target_mm(struct task_struct *task)
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

/**
 * mlkd_target_gone - is it no use to go on?
 * @task: the process
 * @mm: its address space when the call began, of which the caller holds a user
 *
 * A killed process is not freed before we let it go, so look often.
 */
bool mlkd_target_gone(struct task_struct *task, struct mm_struct *mm)
{
	return (READ_ONCE(task->signal->flags) & SIGNAL_GROUP_EXIT) ||
	       atomic_read(&mm->mm_users) == 1;
}

unsigned long mlkd_target_memlock_limit(struct task_struct *task)
{
	return task_rlimit(task, RLIMIT_MEMLOCK);
}

/* The core kernel does not hold a process with CAP_IPC_LOCK to the limit. */
bool mlkd_target_unlimited(struct task_struct *task)
{
	const struct cred *cred = get_task_cred(task);
	bool ret = cred->user_ns == &init_user_ns &&
		   cap_raised(cred->cap_effective, CAP_IPC_LOCK);

	put_cred(cred);
	return ret;
}

/* Page faults of all threads, those that have exited included. */
void mlkd_target_faults(struct task_struct *task, u64 *minor, u64 *major)
{
	struct task_struct *t;

	rcu_read_lock();
	*minor = task->signal->min_flt;
	*major = task->signal->maj_flt;
	for_each_thread(task, t) {
		*minor += t->min_flt;
		*major += t->maj_flt;
	}
	rcu_read_unlock();
}
