export * from './contract.ts';
export { expand, type ExpandOptions } from './expand.ts';
export { type FailurePlace, failurePlace } from './failure.ts';
export { type Ignores, ignores, readIgnoreFile } from './ignore.ts';
export { applyInstruction, instructionNames, type InstructionName, valueIn } from './instructions.ts';
export { pathMatcher } from './path-match.ts';
export { jsonWords, pairs, shellWords } from './words.ts';
