// data: look-ups in data files that a script imports.

/**
 * The elements of an imported array by the value of a column; by several columns,
 * objects inside of objects. It is made once for all tasks. Two elements with the same
 * values throw.
 */
export const index = __host.index
