#include "CSwiftletSystem.h"
