/* An ALSA plugin: a PCM that answers EBUSY, as hardware does, while some program holds a lock on a file.

   pcm_type.busy { lib "/path/of/this.so" }
   pcm.NAME { type busy lock "/a/file" slave "the PCM that is opened otherwise" } */

#include <alsa/asoundlib.h>
#include <alsa/pcm_external.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

static int held(const char *path)
{
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0)
        return -errno;
    int answer = flock(file, LOCK_EX | LOCK_NB) < 0 ? -EBUSY : 0;
    close(file);
    return answer;
}

SND_PCM_PLUGIN_DEFINE_FUNC(busy)
{
    const char *lock = NULL, *slave = NULL;
    snd_config_iterator_t at, next;
    (void)root;

    snd_config_for_each(at, next, conf) {
        snd_config_t *entry = snd_config_iterator_entry(at);
        const char *key;
        if (snd_config_get_id(entry, &key) < 0)
            continue;
        if (strcmp(key, "lock") == 0)
            snd_config_get_string(entry, &lock);
        else if (strcmp(key, "slave") == 0)
            snd_config_get_string(entry, &slave);
    }
    if (!lock || !slave)
        return -EINVAL;
    int answer = held(lock);
    return answer < 0 ? answer : snd_pcm_open(pcmp, slave, stream, mode);
}

SND_PCM_PLUGIN_SYMBOL(busy);
