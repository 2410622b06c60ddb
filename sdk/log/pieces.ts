import { randomBytes } from 'node:crypto';
import type { Entry } from './contract.ts';

/** Where an entry belongs in a line that was divided, as Docker marks it. */
export interface Piece {
  /** The same for all pieces of a line. */
  readonly id: string;
  /** From 1. */
  readonly ordinal: number;
  readonly isLast: boolean;
}

/** Numbers the pieces of divided lines, for each source of one stream. */
export class LinePieces {
  readonly #pieces = new Map<Entry['source'], Piece>();

  /** Undefined for a line in one piece. Docker marks every piece of a divided line, the last one too. Ask once for each entry, in order. */
  next({ source, partial }: Pick<Entry, 'source' | 'partial'>): Piece | undefined {
    const before = this.#pieces.get(source);
    if (before === undefined && !partial) return undefined;
    const piece: Piece = {
      id: before?.id ?? randomBytes(32).toString('hex'),
      ordinal: (before?.ordinal ?? 0) + 1,
      isLast: !partial,
    };
    if (partial) this.#pieces.set(source, piece);
    else this.#pieces.delete(source);
    return piece;
  }
}
