import { jsonWords, shellWords } from '@gantry/sdk/builder';

/** A file written into the Dockerfile. */
export interface Heredoc {
  readonly name: string;
  /** Not when its name is quoted. */
  readonly isExpanded: boolean;
  readonly stripsTabs: boolean;
  readonly content: string;
}

/** Whether `<<NAME` means something behind this instruction. */
export function takesHeredocs(name: string, rest: string): boolean {
  const [, inner = '', innerRest = ''] = /^(\S+)\s*([\s\S]*)$/.exec(rest) ?? [];
  if (name === 'ONBUILD') return takesHeredocs(inner.toUpperCase(), innerRest);
  return ['RUN', 'COPY', 'ADD'].includes(name) && rest.includes('<<') && jsonWords(withoutFlags(rest)) === undefined;
}

/** Their beginnings, in order. */
export function heredocsOf(rest: string, escape: string): readonly Omit<Heredoc, 'content'>[] {
  return shellWords(rest, escape).flatMap((word) => {
    const [, dash, quote = '', name = ''] = /^\d*<<(-?)(["']?)([A-Za-z_][\w.-]*)\2$/.exec(word) ?? [];
    return name === '' ? [] : [{ name, isExpanded: quote === '', stripsTabs: dash === '-' }];
  });
}

export function isHeredoc(word: string): boolean {
  return heredocsOf(word, '\\').length > 0;
}

function withoutFlags(rest: string): string {
  return rest.replace(/^(?:--\S+\s+)*/, '');
}
