import { FluentServer } from '@fluent-org/logger';
import type { ListenOptions } from 'node:net';
import type { TlsOptions } from 'node:tls';

export interface FluentEvent {
  readonly tag: string;
  readonly time: unknown;
  readonly record: Readonly<Record<string, string>>;
}

/** A receiver of the forward protocol: the server of Fluentd's own library for Node, and what it got. */
export class FluentReceiver implements AsyncDisposable {
  readonly events: FluentEvent[] = [];
  readonly #server: FluentServer;

  private constructor(listenOptions: ListenOptions, tlsOptions: TlsOptions | undefined) {
    const { events } = this;
    this.#server = new (class extends FluentServer {
      protected override onEntry(...[tag, time, record]: Parameters<FluentServer['onEntry']>): void {
        events.push({ tag, time, record });
      }
    })({ listenOptions, ...(tlsOptions === undefined ? {} : { tlsOptions }) });
  }

  static async listen(listenOptions: ListenOptions, tlsOptions?: TlsOptions): Promise<FluentReceiver> {
    const receiver = new FluentReceiver(listenOptions, tlsOptions);
    await receiver.#server.listen();
    return receiver;
  }

  /** Those of one container's log with this text in it. */
  of(mark: string): readonly FluentEvent[] {
    return this.events.filter(({ record }) => record['log']?.includes(mark) === true);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#server.close();
  }
}
