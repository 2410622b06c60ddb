import type { AuthzAnswer, AuthzDriver, AuthzRequest } from '../authz/contract.ts';
import type { Ctx } from '../types/index.ts';
import { type Body, list, text, texts } from './body.ts';
import type { Methods } from './http.ts';

/** `AuthZPlugin.*` over a driver. */
export function authzMethods(driver: AuthzDriver, ctx: (signal: AbortSignal) => Ctx): Methods {
  return {
    'AuthZPlugin.AuthZReq': async (body, signal) => answerOf(await driver.authorizeRequest(requestOf(body), ctx(signal))),
    'AuthZPlugin.AuthZRes': async (body, signal) => {
      const { ResponseStatusCode: status } = body;
      const response = {
        request: requestOf(body),
        status: typeof status === 'number' ? status : 0,
        headers: texts(body, 'ResponseHeaders'),
        ...bytes(body, 'ResponseBody'),
      };
      return answerOf(await driver.authorizeResponse(response, ctx(signal)));
    },
  };
}

function requestOf(body: Body): AuthzRequest {
  const certificates = list(body, 'RequestPeerCertificates').map(String);
  return {
    user: text(body, 'User'),
    authenticationMethod: text(body, 'UserAuthNMethod'),
    method: text(body, 'RequestMethod'),
    uri: text(body, 'RequestUri'),
    headers: texts(body, 'RequestHeaders'),
    ...bytes(body, 'RequestBody'),
    ...(certificates.length === 0 ? {} : { peerCertificates: certificates }),
  };
}

function bytes(body: Body, name: string): { readonly body?: Buffer } {
  const encoded = text(body, name);
  return encoded === '' ? {} : { body: Buffer.from(encoded, 'base64') };
}

function answerOf({ allow, message }: AuthzAnswer): object {
  return { Allow: allow, Msg: message };
}
