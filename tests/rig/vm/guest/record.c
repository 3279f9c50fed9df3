/* record DEVICE FILE: writes what it hears to FILE, and prints when every tenth period was complete. */
#include "sound.h"

enum { PERIODS = 20, TOLD_EVERY = 10 }; /* PERIODS as ingestd has: what is lost here, nobody could have kept */

int main(int argc, char **argv)
{
    long long count = 0;
    short heard[PERIOD];
    if (argc != 3)
        return 2;
    FILE *file = fopen(argv[2], "wb");
    if (!file)
        return 1;
    take_priority();
    snd_pcm_t *pcm = open_pcm(argv[1], SND_PCM_STREAM_CAPTURE, PERIODS, count);
    for (unsigned periods = 0;;) {
        snd_pcm_sframes_t got = snd_pcm_readi(pcm, heard, PERIOD);
        if (got < 0) {
            pcm = recover(pcm, (int)got, argv[1], SND_PCM_STREAM_CAPTURE, PERIODS, count);
            continue;
        }
        count += got;
        fwrite(heard, sizeof *heard, (size_t)got, file);
        fflush(file);
        if (++periods % TOLD_EVERY == 0)
            note("at", count);
    }
}
