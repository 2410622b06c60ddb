import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Certificate {
  readonly cert: string;
  readonly key: string;
}
/** Files of an authority of a test's own, a server's certificate for 127.0.0.1, localhost and further addresses, and a client's. */
export interface Certificates extends Disposable {
  readonly ca: string;
  readonly server: Certificate;
  readonly client: Certificate;
}

export function makeCertificates(...addresses: readonly string[]): Certificates {
  const folder = mkdtempSync(join(tmpdir(), 'certificates-'));
  const at = (name: string): string => join(folder, name);
  const openssl = (...given: readonly string[]) => execFileSync('openssl', given, { cwd: folder, stdio: 'ignore' });
  const fresh = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
  openssl('req', '-x509', ...fresh, '-subj', '/CN=test authority', '-keyout', 'ca.key', '-out', 'ca.pem');
  const names = ['IP:127.0.0.1', 'DNS:localhost', ...addresses.map((address) => `IP:${address}`)];
  writeFileSync(at('names'), `subjectAltName=${names.join(',')}\n`);
  const signed = (name: string): Certificate => {
    openssl('req', ...fresh.slice(0, 5), '-subj', `/CN=${name}`, '-keyout', `${name}.key`, '-out', `${name}.csr`);
    const from = ['-req', '-in', `${name}.csr`, '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-extfile', 'names'];
    openssl('x509', ...from, '-out', `${name}.pem`);
    return { cert: at(`${name}.pem`), key: at(`${name}.key`) };
  };
  return {
    ca: at('ca.pem'),
    server: signed('server'),
    client: signed('client'),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}
