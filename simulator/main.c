/* SPDX-License-Identifier: MIT */
#include "simulator/options.h"

int main(int argc, char **argv)
{
	return simulator_main(argc, argv);
}
