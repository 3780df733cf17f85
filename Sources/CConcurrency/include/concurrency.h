// Where Swift's runtime has its tasks run: swift/Runtime/Concurrency.h in the Swift project, which toolchains do not ship.
// No logic.
#ifndef CONCURRENCY_H
#define CONCURRENCY_H

// swift_task_enqueueGlobal_hook: from now on each piece of a task that may run anywhere is given to `taker`, on the thread
// that made it ready. To be called once, before there are tasks.
void concurrency_take_over(void (*taker)(void *job));
// swift_job_run: runs such a piece on this thread. Each is to be run or given to the pool, once.
void concurrency_run(void *job);
// The threads of the runtime's own, which would have had it. Not before a piece was given to the taker.
void concurrency_give_to_pool(void *job);

#endif
