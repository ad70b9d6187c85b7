/* SPDX-License-Identifier: MIT */
#include "simulator/commands.h"

int main(int argc, char **argv)
{
	return simulator_main(argc, argv);
}
