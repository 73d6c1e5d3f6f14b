/* hostile.py's `daemons` and `bomb`, as small programs are: cc hostile.c; a.out KIND COUNT [SECONDS]

   A Python process takes the kernel five times as long to bury. Bounded alike: a pipe of COUNT
   tokens, an end on the monotonic clock in every process, and whatever limit the caller adds. */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct timespec end;

static void unstoppable(void) {
    setsid();
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_IGN);
}

static void lurk(void) {
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL) == EINTR)
        ;
    _exit(0);
}

static int ended(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec >= end.tv_sec;
}

static void daemons(int count) {
    while (count--) {
        pid_t middle = fork();
        if (middle == 0) {
            setsid();
            if (fork())
                _exit(0);
            unstoppable();
            lurk();
        }
        waitpid(middle, NULL, 0);
    }
}

static void bomb(int count) {
    int tokens[2];
    char token = '.';
    pipe2(tokens, O_NONBLOCK);
    for (int i = 0; i < count; i++)
        write(tokens[1], &token, 1);
    daemons(count / 5);
    for (int i = 0; i < count / 5; i++)
        read(tokens[0], &token, 1);
    signal(SIGCHLD, SIG_IGN); /* no zombies */
    srandom(getpid());
    while (!ended()) {
        if (read(tokens[0], &token, 1) != 1) {
            if (random() % 20 == 0) {
                write(tokens[1], &token, 1);
                _exit(0);
            }
            usleep(20000);
            continue;
        }
        pid_t child = fork();
        if (child < 0) {
            write(tokens[1], &token, 1);
            usleep(20000);
        } else if (child == 0) {
            unstoppable();
            srandom(getpid());
        }
    }
    _exit(0);
}

int main(int argc, char **argv) {
    if (argc < 3)
        return 2;
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += argc > 3 ? atoi(argv[3]) : 60;
    if (!strcmp(argv[1], "bomb") && !fork())
        bomb(atoi(argv[2]));
    if (!strcmp(argv[1], "daemons"))
        daemons(atoi(argv[2]));
    write(1, "ready\n", 6);
    unstoppable();
    lurk();
}
