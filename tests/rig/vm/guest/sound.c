#include "sound.h"

#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

enum { REOPEN_NS = 20 * 1000 * 1000, PRIORITY = 50 };

void take_priority(void)
{
    struct sched_param param = {.sched_priority = PRIORITY};
    if (sched_setscheduler(0, SCHED_FIFO, &param) || mlockall(MCL_CURRENT | MCL_FUTURE)) {
        perror("priority");
        exit(1);
    }
}

void note(const char *event, long long count)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    printf("%lld.%09ld %s %lld\n", (long long)now.tv_sec, now.tv_nsec, event, count);
    fflush(stdout);
}

static int set_up(snd_pcm_t *pcm, unsigned periods)
{
    snd_pcm_hw_params_t *params;
    snd_pcm_hw_params_alloca(&params);
    int error = snd_pcm_hw_params_any(pcm, params);
    if (error < 0 || (error = snd_pcm_hw_params_set_access(pcm, params, SND_PCM_ACCESS_RW_INTERLEAVED)) < 0 ||
        (error = snd_pcm_hw_params_set_format(pcm, params, SND_PCM_FORMAT_S16_LE)) < 0 ||
        (error = snd_pcm_hw_params_set_channels(pcm, params, 1)) < 0 ||
        (error = snd_pcm_hw_params_set_rate(pcm, params, RATE_HZ, 0)) < 0 ||
        (error = snd_pcm_hw_params_set_period_size(pcm, params, PERIOD, 0)) < 0 ||
        (error = snd_pcm_hw_params_set_periods(pcm, params, periods, 0)) < 0)
        return error;
    return snd_pcm_hw_params(pcm, params);
}

static void silent(const char *file, int line, const char *function, int error, const char *form, ...)
{
    (void)file, (void)line, (void)function, (void)error, (void)form;
}

snd_pcm_t *open_pcm(const char *device, snd_pcm_stream_t stream, unsigned periods, long long count)
{
    const struct timespec pause = {.tv_nsec = REOPEN_NS};
    snd_pcm_t *pcm;
    snd_lib_error_set_handler(silent); /* libasound tells of every card that is absent */
    for (;;) {
        if (snd_pcm_open(&pcm, device, stream, 0) == 0) {
            if (set_up(pcm, periods) == 0)
                break;
            snd_pcm_close(pcm);
        }
        snd_config_update_free_global(); /* or a card that came later is never found */
        nanosleep(&pause, NULL);
    }
    note("open", count);
    return pcm;
}

snd_pcm_t *recover(snd_pcm_t *pcm, int error, const char *device, snd_pcm_stream_t stream, unsigned periods,
                   long long count)
{
    if (error == -EPIPE && snd_pcm_prepare(pcm) == 0) {
        note("xrun", count);
        return pcm;
    }
    note("lost", count);
    snd_pcm_close(pcm);
    return open_pcm(device, stream, periods, count);
}
