// SPDX-License-Identifier: GPL-2.0-only
/*
 * Errands: what a kernel thread does for a caller who need not wait until it ends.
 *
 * A page of a file may come from a server that never answers: FUSE, a network.  Whoever
 * asks for it cannot be killed meanwhile.  So a thread that is there for nothing else
 * asks.  Its caller waits until it ends, until the caller is killed, until the process
 * that it is for is, or until an answer has not come for a while; then he leaves the
 * thread behind, which ends whenever the server answers, and changes nothing any more.
 *
 * The caller leaves it during such a wait only.  Whatever else the thread does ends
 * soon: it can be killed as a process can, by mlkd_errand_wait(), while it waits for
 * mmap_lock.  A worker of a workqueue could not; it does the errands that are brief.
 */
#include <linux/kthread.h>
#include <linux/memcontrol.h>
#include <linux/mm_types.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>

#include "compat.h"
#include "errand.h"

/* vm.memlockd.server_timeout: so many seconds an answer is waited for. */
int mlkd_server_timeout = 10;

/* So often the caller looks how the errand is doing. */
#define LOOK		(HZ / 4)

void mlkd_errand_put(struct mlkd_errand *errand)
{
	if (refcount_dec_and_test(&errand->ref))
		errand->free(errand);
}

/* Says whether the thread is to end soon. */
bool mlkd_errand_stopped(struct mlkd_errand *errand)
{
	bool ret;

	spin_lock(&errand->lock);
	ret = errand->stopped;
	spin_unlock(&errand->lock);
	return ret;
}

static void do_errand(struct mlkd_errand *errand)
{
	struct mm_struct *mm = errand->mm;
	struct mem_cgroup *old = set_active_memcg(errand->memcg);

	if (errand->borrows)
		kthread_use_mm(mm);
	errand->run(errand);
	if (errand->borrows)
		kthread_unuse_mm(mm);
	set_active_memcg(old);

	if (errand->keeps_mm)
		mmput(mm);
	complete_all(&errand->done);
	mlkd_errand_put(errand);
}

static int errand_thread(void *data)
{
	struct mlkd_errand *errand = data;

	allow_signal(SIGKILL);
	/* A signal that came before has been lost. */
	if (mlkd_errand_stopped(errand))
		send_sig(SIGKILL, current, 1);
	do_errand(errand);
	module_put_and_kthread_exit(0);
}

static void errand_work(struct work_struct *work)
{
	do_errand(container_of(work, struct mlkd_errand, work));
}

/**
 * mlkd_errand_start - start an errand
 * @errand: the errand, of which @run to @brief are set
 *
 * Return: 0, and mlkd_errand_wait() and mlkd_errand_put() are to be called; -ENOMEM or
 * -EINTR, and it is the caller's to free.
 */
int mlkd_errand_start(struct mlkd_errand *errand)
{
	struct task_struct *thread;

	refcount_set(&errand->ref, 2);
	init_completion(&errand->done);
	spin_lock_init(&errand->lock);
	if (errand->brief) {
		INIT_WORK(&errand->work, errand_work);
		queue_work(system_dfl_wq, &errand->work);
		return 0;
	}
	thread = kthread_create(errand_thread, errand, "memlockd");
	if (IS_ERR(thread))
		return PTR_ERR(thread);
	__module_get(THIS_MODULE);
	errand->thread = get_task_struct(thread);
	wake_up_process(thread);
	return 0;
}

static void stop(struct mlkd_errand *errand)
{
	spin_lock(&errand->lock);
	errand->stopped = true;
	spin_unlock(&errand->lock);
	if (errand->thread)
		send_sig(SIGKILL, errand->thread, 1);
}

static bool waits_too_long(struct mlkd_errand *errand)
{
	unsigned long patience = (unsigned long)READ_ONCE(mlkd_server_timeout) * HZ;
	bool ret;

	spin_lock(&errand->lock);
	ret = errand->waits && time_after(jiffies, READ_ONCE(errand->since) + patience);
	spin_unlock(&errand->lock);
	return ret;
}

/* Leaves the thread to itself, if it waits for somebody who need not ever answer. */
static bool leave(struct mlkd_errand *errand)
{
	spin_lock(&errand->lock);
	errand->left = errand->waits;
	if (errand->left && errand->needs_mm) {
		mmget(errand->mm);
		errand->keeps_mm = true;
	}
	spin_unlock(&errand->lock);
	return errand->left;
}

/**
 * mlkd_errand_wait - wait until an errand is done
 * @errand: the errand
 *
 * Return: 0 when it is done; -EINTR when the caller is being killed, -ETIME when an
 * answer has not come, -ESRCH when it has become useless: then it is done, or left to
 * itself, which @errand->left says.
 */
int mlkd_errand_wait(struct mlkd_errand *errand)
{
	int err = 0;

	while (!err) {
		long ret = wait_for_completion_killable_timeout(&errand->done, LOOK);

		if (ret > 0)
			break;
		if (ret < 0)
			err = -EINTR;
		else if (errand->useless(errand))
			err = -ESRCH;
		else if (waits_too_long(errand))
			err = -ETIME;
	}
	if (err) {
		stop(errand);
		/* From here on it begins no wait that need not end. */
		while (!leave(errand) && !wait_for_completion_timeout(&errand->done, 1))
			;
	}
	if (errand->thread)
		put_task_struct(errand->thread);
	else
		flush_work(&errand->work);	/* it is in this module until it returns */
	return err;
}

/**
 * mlkd_errand_wait_begin - the thread is about to wait for somebody
 * @errand: the errand, whose thread is current; or NULL, where current may wait
 * @at: the address that it waits for
 * @dev: the device of the file system that it waits for
 * @needs_mm: it uses @errand->mm meanwhile
 *
 * Return: false when it is to end instead.
 */
bool mlkd_errand_wait_begin(struct mlkd_errand *errand, unsigned long at, dev_t dev,
			    bool needs_mm)
{
	bool ret;

	if (!errand)
		return true;
	spin_lock(&errand->lock);
	ret = !errand->stopped;
	errand->waits = ret;
	errand->needs_mm = needs_mm;
	errand->at = at;
	errand->dev = dev;
	errand->since = jiffies;
	spin_unlock(&errand->lock);
	return ret;
}

/* Returns false when the caller has left meanwhile: the thread is to end, as it is. */
bool mlkd_errand_wait_end(struct mlkd_errand *errand)
{
	bool ret;

	if (!errand)
		return true;
	spin_lock(&errand->lock);
	errand->waits = false;
	ret = !errand->left;
	spin_unlock(&errand->lock);
	return ret;
}
