import { testPieces } from './suite.ts';

testPieces('v2-');
