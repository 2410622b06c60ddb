import type { Ctx } from '@gantry/sdk';
import type { AuthzAnswer, AuthzDriver, AuthzRequest, AuthzResponse } from '@gantry/sdk/authz';
import { type Answer, field, textOf } from './answer.ts';
import type { Connection } from './connection.ts';
import { plainText } from './transport.ts';

/** `AuthZPlugin.*` of Docker's plugins. Only `Allow: true` allows. */
export class DockerAuthzDriver implements AuthzDriver {
  readonly #plugin: Connection;

  constructor(plugin: Connection) {
    this.#plugin = plugin;
  }

  async authorizeRequest(request: AuthzRequest, { signal }: Ctx): Promise<AuthzAnswer> {
    return answerOf(await this.#plugin.call('AuthZPlugin.AuthZReq', requestBody(request), signal));
  }

  async authorizeResponse({ request, status, headers, body }: AuthzResponse, { signal }: Ctx): Promise<AuthzAnswer> {
    const question = {
      ...requestBody(request),
      ResponseStatusCode: status,
      ResponseHeaders: headers,
      ...(body === undefined ? {} : { ResponseBody: body.toString('base64') }),
    };
    return answerOf(await this.#plugin.call('AuthZPlugin.AuthZRes', question, signal));
  }
}

function requestBody({ user, authenticationMethod, method, uri, headers, body, peerCertificates }: AuthzRequest): Answer {
  return {
    ...(user === '' ? {} : { User: user }),
    ...(authenticationMethod === '' ? {} : { UserAuthNMethod: authenticationMethod }),
    RequestMethod: method,
    RequestUri: uri,
    RequestHeaders: headers,
    ...(body === undefined ? {} : { RequestBody: body.toString('base64') }),
    ...(peerCertificates === undefined ? {} : { RequestPeerCertificates: peerCertificates }),
  };
}

function answerOf(answer: Answer): AuthzAnswer {
  return { allow: field(answer, 'Allow') === true, message: plainText(textOf(answer, 'Msg')) };
}
