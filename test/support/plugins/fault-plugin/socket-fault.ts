/** What the socket plugin does with who connects; `elsewhere`: its socket is a link to another. */
export interface Speaks {
  readonly speaks: 'nothing' | 'http/1.1' | 'noise' | 'an end' | 'elsewhere';
  readonly target?: string;
}
