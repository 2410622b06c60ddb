import type { AuthzDriver } from '@gantry/sdk/authz';

/** Everything but containers called "forbidden". */
export const authorization: AuthzDriver = {
  authorizeRequest: async ({ method, uri }) => {
    const isForbidden = method === 'POST' && /\/containers\/create\?.*name=forbidden/.test(uri);
    return isForbidden ? { allow: false, message: `nobody may ${method} that name` } : { allow: true, message: '' };
  },
  authorizeResponse: async () => ({ allow: true, message: '' }),
};
