#include "base/mutant.h"

enum mutant mutant_active;
