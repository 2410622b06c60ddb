import type { Drivers } from '../plugin.ts';

/** One call to a driver. */
export interface Call {
  /** "volume/nfs" */
  readonly driver: string;
  readonly method: string;
  readonly request: unknown;
  /** What it answered, once it has; of a stream, nothing. */
  answer?: unknown;
  error?: unknown;
}

/** The same drivers, with every call noted: what they describe can be looked at without being executed. */
export function recording(drivers: Drivers, calls: Call[]): Drivers {
  return Object.fromEntries(
    Object.entries(drivers).map(([kind, byName]) => [
      kind,
      Object.fromEntries(Object.entries(byName).map(([name, driver]) => [name, recorded(driver, `${kind}/${name}`, calls)])),
    ]),
  );
}

function recorded<Driver extends object>(driver: Driver, label: string, calls: Call[]): Driver {
  return new Proxy(driver, {
    get(target, method) {
      const found: unknown = Reflect.get(target, method);
      if (typeof found !== 'function' || typeof method !== 'string') return found;
      return (request: unknown, ...rest: readonly unknown[]): unknown => {
        const call: Call = { driver: label, method, request };
        calls.push(call);
        const answer: unknown = Reflect.apply(found, target, [request, ...rest]);
        if (answer instanceof Promise) {
          answer.then(
            (value: unknown) => (call.answer = value),
            (error: unknown) => (call.error = error),
          );
        }
        return answer;
      };
    },
  });
}
