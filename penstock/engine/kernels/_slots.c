/* Numbers the rows of a table by integer keys of small ranges, and sums values by such numbers.
 *
 * Every combination of keys has a slot, its position when the ranges of the keys are multiplied
 * out; a missing key counts as one beyond its range. Slots become the numbers of groups in order
 * of first appearance, in one pass over the rows. A key outside the range that the caller gave is
 * an error and not an access out of bounds. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define MOST_COLUMNS 64
#define MOST_SLOTS ((size_t)1 << 20)
#define STEP 1024 /* rows, whose slots stay in the cache */
#define EACH_BYTE UINT64_C(0x0101010101010101)

typedef struct {
    const uint8_t *values;
    const uint8_t *valid; /* a bit for each row, NULL when none is missing */
    size_t offset;        /* of the first row's bit */
    char kind;            /* as of the struct module */
    uint64_t least, span;
} Column;

/* Adds the places of rows [start, start + count) within the range of one key to their slots. What
 * is outside the range sets the highest bit of `outside`: that of `place` itself, or else that of
 * `last - place`. A comparison would keep the loop from being vectorised for any x86-64. */
#define ADD_PLACES(type)                                                                          \
    do {                                                                                          \
        const type *values = (const type *)column->values + start;                                \
        for (size_t i = 0; i < count; i++) {                                                      \
            uint64_t place = (uint64_t)values[i] - least;                                         \
            outside |= (last - place) | place;                                                    \
            slots[i] = slots[i] * size + (uint32_t)place;                                         \
        }                                                                                         \
    } while (0)

#define ADD_PLACES_OR_MISSING(type)                                                               \
    do {                                                                                          \
        const type *values = (const type *)column->values + start;                                \
        for (size_t i = 0; i < count; i++) {                                                      \
            uint64_t mask = (uint64_t)(int64_t)present[i];                                        \
            uint64_t place = (((uint64_t)values[i] - least) & mask) | (last & ~mask);             \
            outside |= (last - place) | place;                                                    \
            slots[i] = slots[i] * size + (uint32_t)place;                                         \
        }                                                                                         \
    } while (0)

#define FOR_KIND(add)                                                                             \
    switch (column->kind) {                                                                       \
    case 'b': add(int8_t); break;                                                                 \
    case 'B': add(uint8_t); break;                                                                \
    case 'h': add(int16_t); break;                                                                \
    case 'H': add(uint16_t); break;                                                               \
    case 'i': add(int32_t); break;                                                                \
    case 'I': add(uint32_t); break;                                                               \
    case 'l': add(int64_t); break;                                                                \
    default: add(uint64_t); break;                                                                \
    }

/* Makes all bits of a byte for each of up to STEP rows that is not missing. */
static void expand(const Column *column, size_t start, size_t count, int8_t *present)
{
    size_t bit = column->offset + start, shift = bit & 7;
    const uint8_t *valid = column->valid + (bit >> 3);
    size_t i = 0;
    for (; i + 8 < count; i += 8, valid++) { /* fewer than all: the byte behind is there */
        uint64_t bits = (uint8_t)(valid[0] >> shift | (unsigned)valid[1] << (8 - shift));
        /* byte k keeps bit k only, which then reaches its highest bit */
        uint64_t bytes = (bits * EACH_BYTE & UINT64_C(0x8040201008040201)) + 0x7f * EACH_BYTE;
        bytes = (bytes >> 7 & EACH_BYTE) * 0xff;
        for (size_t k = 0; k < 8; k++)
            present[i + k] = (int8_t)(bytes >> 8 * k);
    }
    for (; i < count; i++) {
        size_t at = bit + i;
        present[i] = (int8_t)-(column->valid[at >> 3] >> (at & 7) & 1);
    }
}

/* Returns whether a key is outside its range, whose last place is that of missing keys. */
static int add_places(const Column *column, size_t start, size_t count, uint32_t *slots)
{
    const uint64_t least = column->least, last = column->span - 1;
    const uint32_t size = (uint32_t)column->span;
    uint64_t outside = 0;
    int8_t present[STEP];
    if (column->valid == NULL) {
        FOR_KIND(ADD_PLACES)
    } else {
        expand(column, start, count, present);
        FOR_KIND(ADD_PLACES_OR_MISSING)
    }
    return outside >> 63 != 0;
}

/* Numbers rows [start, start + count) by their slots. A small table stays in the cache. */
#define NUMBER(type)                                                                              \
    do {                                                                                          \
        type *numbers = table;                                                                    \
        for (size_t i = 0; i < count; i++) {                                                      \
            int64_t group = numbers[slots[i]];                                                    \
            if (group < 0) {                                                                      \
                group = groups++;                                                                 \
                numbers[slots[i]] = (type)group;                                                  \
                first[group] = (int64_t)(start + i);                                              \
            }                                                                                     \
            codes[start + i] = group;                                                             \
        }                                                                                         \
    } while (0)

/* Returns the number of groups, or -1 when a key is outside its range. */
static int64_t number(const Column *columns, size_t ncolumns, size_t rows, void *table, int small,
                      int64_t *codes, int64_t *first)
{
    uint32_t slots[STEP];
    int64_t groups = 0;
    for (size_t start = 0; start < rows; start += STEP) {
        size_t count = rows - start < STEP ? rows - start : STEP;
        memset(slots, 0, sizeof slots);
        for (size_t i = 0; i < ncolumns; i++)
            if (add_places(&columns[i], start, count, slots))
                return -1;
        if (small)
            NUMBER(int16_t);
        else
            NUMBER(int32_t);
    }
    return groups;
}

static size_t width_of(char kind)
{
    switch (kind) {
    case 'b': case 'B': return 1;
    case 'h': case 'H': return 2;
    case 'i': case 'I': return 4;
    case 'l': case 'L': return 8;
    default: return 0;
    }
}

/* Takes (kind, values, valid or None, offset, least, span); returns 0 with an error set. */
static int take_column(PyObject *item, size_t rows, Column *column, Py_buffer *values,
                       Py_buffer *valid)
{
    int kind;
    Py_ssize_t offset;
    unsigned long long least, span;
    PyObject *bits;
    values->obj = valid->obj = NULL;
    if (!PyTuple_Check(item)) {
        PyErr_SetString(PyExc_TypeError, "a column is a tuple");
        return 0;
    }
    if (!PyArg_ParseTuple(item, "Cy*OnKK", &kind, values, &bits, &offset, &least, &span))
        return 0;
    if (bits != Py_None && PyObject_GetBuffer(bits, valid, PyBUF_SIMPLE) < 0)
        goto fail;
    size_t width = kind < 128 ? width_of((char)kind) : 0;
    if (width == 0 || offset < 0 || span < 1 || span > INT32_MAX ||
        (size_t)values->len / width < rows || (uintptr_t)values->buf % width != 0 ||
        (valid->obj != NULL && (size_t)valid->len < ((size_t)offset + rows + 7) / 8)) {
        PyErr_SetString(PyExc_ValueError, "a column's buffers are too short or its range too wide");
        goto fail;
    }
    *column = (Column){values->buf, valid->obj == NULL ? NULL : valid->buf, (size_t)offset,
                       (char)kind,  least, span};
    return 1;
fail:
    if (valid->obj != NULL)
        PyBuffer_Release(valid);
    PyBuffer_Release(values);
    return 0;
}

static PyObject *number_rows(PyObject *module, PyObject *arguments)
{
    (void)module;
    Py_buffer codes, first, buffers[2 * MOST_COLUMNS];
    Column columns[MOST_COLUMNS];
    PyObject *wanted, *result = NULL;
    Py_ssize_t taken = 0;
    if (!PyArg_ParseTuple(arguments, "O!w*w*:number_rows", &PyTuple_Type, &wanted, &codes,
                          &first))
        return NULL;
    Py_ssize_t count = PyTuple_Size(wanted);
    size_t rows = (size_t)codes.len / sizeof(int64_t);
    size_t size = 1;
    if (count < 1 || count > MOST_COLUMNS) {
        PyErr_SetString(PyExc_ValueError, "too few or too many columns");
        goto done;
    }
    for (; taken < count; taken++) {
        PyObject *item = PyTuple_GetItem(wanted, taken);
        if (item == NULL || !take_column(item, rows, &columns[taken], &buffers[2 * taken],
                                         &buffers[2 * taken + 1]))
            goto done;
        size = columns[taken].span > MOST_SLOTS / size ? MOST_SLOTS + 1
                                                       : size * columns[taken].span;
        if (size > MOST_SLOTS) {
            PyErr_SetString(PyExc_ValueError, "too many possible keys");
            taken++;
            goto done;
        }
    }
    if ((size_t)first.len / sizeof(int64_t) < (rows < size ? rows : size) ||
        (uintptr_t)codes.buf % sizeof(int64_t) != 0 || (uintptr_t)first.buf % sizeof(int64_t) != 0) {
        PyErr_SetString(PyExc_ValueError, "buffers too short for the ranges, or not aligned");
        goto done;
    }
    int small = size <= INT16_MAX;
    size_t nbytes = size * (small ? sizeof(int16_t) : sizeof(int32_t));
    void *table = PyMem_Malloc(nbytes);
    if (table == NULL) {
        PyErr_NoMemory();
        goto done;
    }
    int64_t groups;
    Py_BEGIN_ALLOW_THREADS
    memset(table, 0xff, nbytes);
    groups = number(columns, (size_t)count, rows, table, small, codes.buf, first.buf);
    Py_END_ALLOW_THREADS
    PyMem_Free(table);
    if (groups < 0)
        PyErr_SetString(PyExc_ValueError, "a key is outside the range given");
    else
        result = PyLong_FromLongLong(groups);
done:
    while (taken-- > 0) {
        PyBuffer_Release(&buffers[2 * taken]);
        if (buffers[2 * taken + 1].obj != NULL)
            PyBuffer_Release(&buffers[2 * taken + 1]);
    }
    PyBuffer_Release(&codes);
    PyBuffer_Release(&first);
    return result;
}

/* Adds the values, or ones where there are none, to the sums of the rows' groups, in order. */
#define ADD_VALUES(type, value)                                                                   \
    for (size_t i = 0; i < rows; i++) {                                                           \
        if (codes[i] >= groups)                                                                   \
            return 0;                                                                             \
        ((type *)sums)[codes[i]] += (value);                                                      \
    }

/* Returns 0 when a code is no group's. */
static int add_values(const uint64_t *codes, const void *values, char kind, size_t rows,
                      void *sums, size_t groups)
{
    if (values == NULL) {
        ADD_VALUES(uint64_t, 1)
    } else if (kind == 'd') {
        ADD_VALUES(double, ((const double *)values)[i])
    } else {
        ADD_VALUES(uint64_t, ((const uint64_t *)values)[i])
    }
    return 1;
}

static PyObject *add_to_groups(PyObject *module, PyObject *arguments)
{
    (void)module;
    Py_buffer codes, values = {.obj = NULL}, sums;
    PyObject *wanted, *result = NULL;
    int kind, done;
    if (!PyArg_ParseTuple(arguments, "y*OCw*:add_to_groups", &codes, &wanted, &kind, &sums))
        return NULL;
    if (wanted != Py_None && PyObject_GetBuffer(wanted, &values, PyBUF_SIMPLE) < 0)
        goto done;
    if ((kind != 'd' && kind != 'l') || (wanted != Py_None && values.len < codes.len) ||
        ((uintptr_t)codes.buf | (uintptr_t)values.buf | (uintptr_t)sums.buf) % 8 != 0) {
        PyErr_SetString(PyExc_ValueError, "too few values, or of another kind, or not aligned");
        goto done;
    }
    Py_BEGIN_ALLOW_THREADS
    done = add_values(codes.buf, wanted == Py_None ? NULL : values.buf, (char)kind,
                      (size_t)codes.len / 8, sums.buf, (size_t)sums.len / 8);
    Py_END_ALLOW_THREADS
    if (!done) {
        PyErr_SetString(PyExc_ValueError, "a code is no group's");
        goto done;
    }
    Py_INCREF(Py_None);
    result = Py_None;
done:
    if (values.obj != NULL)
        PyBuffer_Release(&values);
    PyBuffer_Release(&codes);
    PyBuffer_Release(&sums);
    return result;
}

PyDoc_STRVAR(add_to_groups_doc,
"add_to_groups(codes, values, kind, sums, /)\n--\n\n"
"Add each of `values` to the one of `sums` that its int64 in `codes` says.\n\n"
"They are doubles when `kind` is \"d\", int64 when it is \"l\", which wrap around; ones when\n"
"they are None.");

PyDoc_STRVAR(number_rows_doc,
"number_rows(columns, codes, first, /)\n--\n\n"
"Number rows by `columns`: (kind, values, valid, offset, least, span) each.\n\n"
"`codes` has an int64 for every row, `first` one for every group that there may be.\n"
"A column of which `valid` is given has one more in `span`, for missing keys.\n\n"
"Returns the number of groups.");

static PyMethodDef methods[] = {
    {"add_to_groups", add_to_groups, METH_VARARGS, add_to_groups_doc},
    {"number_rows", number_rows, METH_VARARGS, number_rows_doc},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "penstock.engine.kernels._slots",
    .m_doc = "Groups of integer keys of small ranges.",
    .m_size = 0,
    .m_methods = methods,
};

PyMODINIT_FUNC PyInit__slots(void)
{
    return PyModuleDef_Init(&definition);
}
