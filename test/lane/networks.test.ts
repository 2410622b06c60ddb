import { testPieces } from './suite.ts';

testPieces('links');
