/* CPU and wall time of a loop, in microseconds for each turn. */
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

static double cpu_us(void) {
  struct rusage use;
  getrusage(RUSAGE_SELF, &use);
  return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1e6 + (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec);
}

static double wall_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

/* Runs `turn` some times to warm up, then `count` times, and prints both. */
static int timed(int count, int (*turn)(void *), void *with) {
  for (int i = 0; i < 50; i++)
    if (turn(with) != 0) return 1;
  const double cpu = cpu_us(), wall = wall_us();
  for (int i = 0; i < count; i++)
    if (turn(with) != 0) return 1;
  printf("%f %f\n", (cpu_us() - cpu) / count, (wall_us() - wall) / count);
  return 0;
}
