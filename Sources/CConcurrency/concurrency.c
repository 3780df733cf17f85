#include "concurrency.h"

#include <stdatomic.h>

#define SWIFT_CALL __attribute__((swiftcall))

typedef SWIFT_CALL void (*executor)(void *job);

extern SWIFT_CALL void (*swift_task_enqueueGlobal_hook)(void *job, executor pool);
// A reference to a serial executor is two words; the generic one, which is none in particular, is zero.
extern SWIFT_CALL void swift_job_run(void *job, void *identity, void *implementation);

static void (*enqueue)(void *job);
static _Atomic(executor) pool;

static SWIFT_CALL void take(void *job, executor runtimes) {
  atomic_store_explicit(&pool, runtimes, memory_order_relaxed);
  enqueue(job);
}

void concurrency_take_over(void (*taker)(void *job)) {
  enqueue = taker;
  swift_task_enqueueGlobal_hook = take;
}

void concurrency_run(void *job) { swift_job_run(job, 0, 0); }

void concurrency_give_to_pool(void *job) { atomic_load_explicit(&pool, memory_order_relaxed)(job); }
