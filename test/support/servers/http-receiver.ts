import { createServer as createPlain, type IncomingHttpHeaders, type Server } from 'node:http';
import { createServer as createTls } from 'node:https';
import { readFileSync } from 'node:fs';
import { buffer } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';

export interface Posted {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}
export interface HttpReceiverOptions {
  readonly tls?: { readonly cert: string; readonly key: string; readonly ca: string };
}

/** A service that takes what is posted, and answers as it is told. */
export class HttpReceiver implements AsyncDisposable {
  readonly posted: Posted[] = [];
  status = 204;
  headers: Readonly<Record<string, string>> = {};
  /** It takes requests and says nothing. */
  isSilent = false;
  readonly #server: Server;

  private constructor({ tls }: HttpReceiverOptions) {
    const secure = tls && { cert: readFileSync(tls.cert), key: readFileSync(tls.key), ca: readFileSync(tls.ca), requestCert: true };
    this.#server = secure === undefined ? createPlain() : createTls({ ...secure, rejectUnauthorized: true });
    this.#server.on('request', (request, response) => {
      void buffer(request).then((bytes) => {
        if (this.isSilent) return;
        const body = (request.headers['content-encoding'] === 'gzip' ? gunzipSync(bytes) : bytes).toString();
        if (this.status < 300) this.posted.push({ path: request.url ?? '', headers: request.headers, body });
        response.writeHead(this.status, this.headers).end(this.status < 300 ? '' : 'no');
      });
    });
  }

  static async listen(port: number, options: HttpReceiverOptions = {}): Promise<HttpReceiver> {
    const receiver = new HttpReceiver(options);
    await new Promise<void>((resolve) => receiver.#server.listen(port, '127.0.0.1', resolve));
    return receiver;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
