export interface WindowSize {
  readonly rows: number;
  readonly columns: number;
}

/** The terminal's size; undefined when stdout is not one. */
export function windowSize(): WindowSize | undefined {
  const { rows, columns, isTTY } = process.stdout;
  return isTTY && rows > 0 && columns > 0 ? { rows, columns } : undefined;
}

/** Tells the size now and whenever it changes, until disposed. A process that is not there yet, or is gone, has no size: failures are dropped. */
export function followWindow(resize: (size: WindowSize) => Promise<void>): Disposable {
  const tell = (): void => {
    const size = windowSize();
    if (size !== undefined) resize(size).catch(() => undefined);
  };
  tell();
  process.stdout.on('resize', tell);
  return { [Symbol.dispose]: () => void process.stdout.off('resize', tell) };
}
