/** How many times slower than a machine's own processor this one is: in a guest whose processor is emulated, patience is so many times longer. */
export const slowness = Number(process.env['GANTRY_TEST_SLOWNESS'] ?? 1);
