/* An ALSA plugin: hardware that knows one rate, one format and one number of channels, and keeps real time.

   pcm_type.fixed { lib "/path/of/this.so" }
   pcm.NAME { type fixed rate 48000 channels 2 format S32_LE record "/a/file" }

   Channel k (from 1) of a capture is always 1000 k in 16 bits, so that a listener knows it after any conversion.
   A playback goes into the file. As with ALSA's dsnoop, a wake is only taken back by poll_revents. */

#define _GNU_SOURCE
#include <alsa/asoundlib.h>
#include <alsa/pcm_external.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

typedef struct {
    snd_pcm_ioplug_t io;
    struct timespec started;
    uint64_t moved;
    int file;
} fixed_t;

static uint64_t frames_since(const struct timespec *then, unsigned rate)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t ns = (now.tv_sec - then->tv_sec) * 1000000000LL + now.tv_nsec - then->tv_nsec;
    return (uint64_t)ns * rate / 1000000000ULL;
}

static int fixed_start(snd_pcm_ioplug_t *io)
{
    fixed_t *fixed = io->private_data;
    uint64_t period_ns = io->period_size * 1000000000ULL / io->rate;
    struct itimerspec timer = {{period_ns / 1000000000, period_ns % 1000000000},
                               {period_ns / 1000000000, period_ns % 1000000000}};
    clock_gettime(CLOCK_MONOTONIC, &fixed->started);
    return timerfd_settime(io->poll_fd, 0, &timer, NULL) < 0 ? -errno : 0;
}

static int fixed_stop(snd_pcm_ioplug_t *io)
{
    struct itimerspec never = {{0, 0}, {0, 0}};
    return timerfd_settime(io->poll_fd, 0, &never, NULL) < 0 ? -errno : 0;
}

static int fixed_prepare(snd_pcm_ioplug_t *io)
{
    ((fixed_t *)io->private_data)->moved = 0;
    return 0;
}

static snd_pcm_sframes_t fixed_pointer(snd_pcm_ioplug_t *io)
{
    fixed_t *fixed = io->private_data;
    if (io->state != SND_PCM_STATE_RUNNING && io->state != SND_PCM_STATE_DRAINING)
        return 0;
    uint64_t done = frames_since(&fixed->started, io->rate);
    if (io->stream == SND_PCM_STREAM_CAPTURE ? done > fixed->moved + io->buffer_size : done > fixed->moved)
        return -EPIPE;
    return done % io->buffer_size;
}

static snd_pcm_sframes_t fixed_transfer(snd_pcm_ioplug_t *io, const snd_pcm_channel_area_t *areas,
                                        snd_pcm_uframes_t offset, snd_pcm_uframes_t size)
{
    fixed_t *fixed = io->private_data;
    for (snd_pcm_uframes_t frame = 0; frame < size; frame++)
        for (unsigned channel = 0; channel < io->channels; channel++) {
            const snd_pcm_channel_area_t *area = &areas[channel];
            char *sample = (char *)area->addr + (area->first + (offset + frame) * area->step) / 8;
            int bytes = snd_pcm_format_physical_width(io->format) / 8;
            int32_t level = 1000 * (int32_t)(channel + 1) << (snd_pcm_format_width(io->format) - 16);
            if (io->stream == SND_PCM_STREAM_CAPTURE)
                memcpy(sample, &level, bytes);
            else if (fixed->file >= 0 && write(fixed->file, sample, bytes) < 0)
                return -errno;
        }
    fixed->moved += size;
    return size;
}

static int fixed_revents(snd_pcm_ioplug_t *io, struct pollfd *pfd, unsigned count, unsigned short *revents)
{
    uint64_t ticks;
    *revents = 0;
    if (count == 1 && read(pfd->fd, &ticks, sizeof ticks) == sizeof ticks)
        *revents = io->stream == SND_PCM_STREAM_CAPTURE ? POLLIN : POLLOUT;
    return 0;
}

static int fixed_close(snd_pcm_ioplug_t *io)
{
    fixed_t *fixed = io->private_data;
    close(io->poll_fd);
    if (fixed->file >= 0)
        close(fixed->file);
    free(fixed);
    return 0;
}

static const snd_pcm_ioplug_callback_t callback = {
    .start = fixed_start,
    .stop = fixed_stop,
    .prepare = fixed_prepare,
    .pointer = fixed_pointer,
    .transfer = fixed_transfer,
    .poll_revents = fixed_revents,
    .close = fixed_close,
};

static int constrain(snd_pcm_ioplug_t *io, unsigned rate, unsigned channels, snd_pcm_format_t format)
{
    const unsigned access[] = {SND_PCM_ACCESS_RW_INTERLEAVED, SND_PCM_ACCESS_MMAP_INTERLEAVED};
    const unsigned formats[] = {format};
    int result = snd_pcm_ioplug_set_param_list(io, SND_PCM_IOPLUG_HW_ACCESS, 2, access);
    if (result >= 0)
        result = snd_pcm_ioplug_set_param_list(io, SND_PCM_IOPLUG_HW_FORMAT, 1, formats);
    if (result >= 0)
        result = snd_pcm_ioplug_set_param_minmax(io, SND_PCM_IOPLUG_HW_RATE, rate, rate);
    if (result >= 0)
        result = snd_pcm_ioplug_set_param_minmax(io, SND_PCM_IOPLUG_HW_CHANNELS, channels, channels);
    if (result >= 0)
        result = snd_pcm_ioplug_set_param_minmax(io, SND_PCM_IOPLUG_HW_PERIOD_BYTES, 64, 65536);
    if (result >= 0)
        result = snd_pcm_ioplug_set_param_minmax(io, SND_PCM_IOPLUG_HW_BUFFER_BYTES, 1024, 1 << 20);
    return result;
}

SND_PCM_PLUGIN_DEFINE_FUNC(fixed)
{
    long rate = 48000, channels = 2;
    const char *format = "S16_LE", *record = NULL;
    snd_config_iterator_t at, next;
    (void)root;

    snd_config_for_each(at, next, conf) {
        snd_config_t *entry = snd_config_iterator_entry(at);
        const char *key;
        if (snd_config_get_id(entry, &key) < 0)
            continue;
        if (strcmp(key, "rate") == 0)
            snd_config_get_integer(entry, &rate);
        else if (strcmp(key, "channels") == 0)
            snd_config_get_integer(entry, &channels);
        else if (strcmp(key, "format") == 0)
            snd_config_get_string(entry, &format);
        else if (strcmp(key, "record") == 0)
            snd_config_get_string(entry, &record);
    }
    fixed_t *fixed = calloc(1, sizeof *fixed);
    if (!fixed)
        return -ENOMEM;
    fixed->file = record && stream == SND_PCM_STREAM_PLAYBACK
                      ? open(record, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)
                      : -1;
    fixed->io.version = SND_PCM_IOPLUG_VERSION;
    fixed->io.name = "Hardware of fixed parameters";
    fixed->io.callback = &callback;
    fixed->io.private_data = fixed;
    fixed->io.poll_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    fixed->io.poll_events = POLLIN;
    int result = snd_pcm_ioplug_create(&fixed->io, name, stream, mode);
    if (result < 0) {
        fixed_close(&fixed->io);
        return result;
    }
    result = constrain(&fixed->io, rate, channels, snd_pcm_format_value(format));
    if (result < 0)
        snd_pcm_ioplug_delete(&fixed->io);
    else
        *pcmp = fixed->io.pcm;
    return result;
}

SND_PCM_PLUGIN_SYMBOL(fixed);
