#define PATH
#include "Bodies.h"

#define TABLE port_portable_matrix
#include "Table.h"
