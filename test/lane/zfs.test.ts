import { testPieces } from './suite.ts';

testPieces('zfs-');
