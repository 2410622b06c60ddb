import type { Http } from './http.ts';
import type { PluginAnswer } from './shapes.ts';

export class Plugins {
  readonly #http: Http;
  constructor(http: Http) {
    this.#http = http;
  }

  async list(): Promise<readonly PluginAnswer[]> {
    return await this.#http.json('GET', '/plugins');
  }
}
