/* Counts what Python asks its allocators for, by thread and by line of code: the module `allocations`.
 *
 * Stands on tracemalloc, which has to be tracing, one frame deep: it knows the line of every block. What a free list
 * of CPython's hands out again (most floats, small tuples, frames) never comes to an allocator, and is not counted.
 */
#define _GNU_SOURCE
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <unistd.h>

PyObject *_PyTraceMalloc_GetTraceback(unsigned int domain, uintptr_t pointer); /* exported, in no public header */

#define ROWS 4096 /* a power of two; a call has some hundred lines that allocate */

typedef struct {
    pid_t thread;
    PyObject *file; /* tracemalloc keeps one string a file; a reference is held. NULL: the row is free */
    unsigned int line;
    int resized;
    unsigned long long count, bytes;
} Row;

static Row rows[ROWS];
static unsigned long long lost; /* blocks that found no row */
static PyMemAllocatorEx below[2];
static const PyMemAllocatorDomain DOMAINS[2] = {PYMEM_DOMAIN_MEM, PYMEM_DOMAIN_OBJ};
static int counting;
static __thread int inside; /* what is asked for in here is ours */
static __thread pid_t thread;

/* All of these run under the GIL, as both domains do; the table needs no lock. */

static void count_at(PyObject *file, unsigned int line, size_t bytes, int resized)
{
    size_t at = ((uintptr_t)file >> 4) * 31 + line * 2 + resized + (size_t)thread * 1009;
    for (int tried = 0; tried < ROWS; tried++, at++) {
        Row *row = &rows[at & (ROWS - 1)];
        if (!row->file) {
            row->thread = thread;
            row->file = Py_NewRef(file);
            row->line = line;
            row->resized = resized;
        }
        if (row->file == file && row->line == line && row->thread == thread && row->resized == resized) {
            row->count++;
            row->bytes += bytes;
            return;
        }
    }
    lost++;
}

static void count(void *block, size_t bytes, int resized)
{
    if (!block || !counting || inside)
        return;
    inside = 1;
    if (!thread)
        thread = gettid();
    PyObject *traceback = _PyTraceMalloc_GetTraceback(0, (uintptr_t)block); /* ((file, line),), or None */
    if (traceback && PyTuple_Check(traceback) && PyTuple_GET_SIZE(traceback) > 0) {
        PyObject *frame = PyTuple_GET_ITEM(traceback, 0);
        count_at(PyTuple_GET_ITEM(frame, 0), (unsigned int)PyLong_AsLong(PyTuple_GET_ITEM(frame, 1)), bytes, resized);
    } else {
        lost++;
    }
    Py_XDECREF(traceback);
    inside = 0;
}

static void *counted_malloc(void *allocator, size_t size)
{
    PyMemAllocatorEx *next = allocator;
    void *block = next->malloc(next->ctx, size);
    count(block, size, 0);
    return block;
}

static void *counted_calloc(void *allocator, size_t number, size_t size)
{
    PyMemAllocatorEx *next = allocator;
    void *block = next->calloc(next->ctx, number, size);
    count(block, number * size, 0);
    return block;
}

static void *counted_realloc(void *allocator, void *old, size_t size)
{
    PyMemAllocatorEx *next = allocator;
    void *block = next->realloc(next->ctx, old, size);
    count(block, size, old != NULL);
    return block;
}

static void passed_free(void *allocator, void *block)
{
    PyMemAllocatorEx *next = allocator;
    next->free(next->ctx, block);
}

static PyObject *start(PyObject *module, PyObject *nothing)
{
    for (int n = 0; n < 2; n++) {
        PyMem_GetAllocator(DOMAINS[n], &below[n]);
        PyMemAllocatorEx ours = {&below[n], counted_malloc, counted_calloc, counted_realloc, passed_free};
        PyMem_SetAllocator(DOMAINS[n], &ours);
    }
    counting = 1;
    Py_RETURN_NONE;
}

static PyObject *stop(PyObject *module, PyObject *nothing)
{
    counting = 0;
    for (int n = 0; n < 2; n++)
        PyMem_SetAllocator(DOMAINS[n], &below[n]);
    PyObject *all = PyList_New(0);
    for (int n = 0; all && n < ROWS; n++) {
        if (!rows[n].file)
            continue;
        PyObject *row = Py_BuildValue("(iOIiKK)", rows[n].thread, rows[n].file, rows[n].line, rows[n].resized,
                                      rows[n].count, rows[n].bytes);
        if (!row || PyList_Append(all, row))
            Py_CLEAR(all);
        Py_XDECREF(row);
    }
    return all ? Py_BuildValue("(NK)", all, lost) : NULL;
}

static PyMethodDef methods[] = {
    {"start", start, METH_NOARGS, "Counts from here on; tracemalloc is tracing, and the collector is off."},
    {"stop", stop, METH_NOARGS,
     "No more: ([(thread id, file, line, whether resized, count, bytes), ...], blocks that could not be placed)."},
    {NULL},
};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "allocations", NULL, -1, methods};

PyMODINIT_FUNC PyInit_allocations(void)
{
    return PyModule_Create(&definition);
}
