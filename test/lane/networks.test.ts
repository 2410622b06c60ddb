import { testPieces } from './suite.ts';

for (const beginning of ['links', 'ipvlan']) testPieces(beginning);
