import { codeOf, type Logger, messageOf } from '@gantry/sdk';

/** Steps of taking something back: what fails is logged, and keeps none of the others, nor hides why it is taken back. */
export function attempts(log: Logger, facts: Readonly<Record<string, string>>, doing = 'taking a network back') {
  return async (what: string, work: () => void | Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      log.warn({ ...facts, code: codeOf(error), reason: messageOf(error) }, `${doing}: could not ${what}`);
    }
  };
}
