/* What the programs of the virtual machine share: PCMs that come back, lines about what befell them, a good priority. */
#ifndef SOUND_H
#define SOUND_H

#include <alsa/asoundlib.h>

enum { RATE_HZ = 8000, PERIOD = 160 };

/* Takes SCHED_FIFO and locks memory: what still stalls these programs is the machine. Ends the program on failure. */
void take_priority(void);

/* Opens DEVICE for 16-bit mono at 8 kHz with `periods` periods, as often as it takes. Notes "open". */
snd_pcm_t *open_pcm(const char *device, snd_pcm_stream_t stream, unsigned periods, long long count);

/* Answers an error of a read or write: the PCM prepared again ("xrun"), or closed and opened anew ("lost"). */
snd_pcm_t *recover(snd_pcm_t *pcm, int error, const char *device, snd_pcm_stream_t stream, unsigned periods,
                   long long count);

/* Prints "SECONDS EVENT COUNT", SECONDS of CLOCK_MONOTONIC, COUNT samples since the program began. */
void note(const char *event, long long count);

#endif
