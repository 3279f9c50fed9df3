/* count DEVICE: plays 1, 2, 3 … 30000, 1 …, a number a sample. Silence is 0, so what is lost or put in can be told. */
#include "sound.h"

enum { PERIODS = 50, HIGHEST = 30000 };

int main(int argc, char **argv)
{
    long long count = 0; /* numbers taken by the device */
    if (argc != 2)
        return 2;
    take_priority();
    snd_pcm_t *pcm = open_pcm(argv[1], SND_PCM_STREAM_PLAYBACK, PERIODS, count);
    for (;;) {
        short numbers[PERIOD];
        for (int i = 0; i < PERIOD; i++)
            numbers[i] = (short)(1 + (count + i) % HIGHEST);
        snd_pcm_sframes_t taken = snd_pcm_writei(pcm, numbers, PERIOD);
        if (taken < 0)
            pcm = recover(pcm, (int)taken, argv[1], SND_PCM_STREAM_PLAYBACK, PERIODS, count);
        else
            count += taken;
    }
}
