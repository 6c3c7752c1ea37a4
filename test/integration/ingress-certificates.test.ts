// Certificates that are not as they should be: what clients see, and what the Ingress object is told. Who brings them is told
// besides, in Events: certificates.test.ts.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type IngressSites, openIngressSites } from './ingress-sites.ts';
import { handshake, type SelfSigned, selfSigned } from './tls-clients.ts';

describe('certificates that are not as they should be', { concurrency: 1 }, () => {
  let sites: IngressSites;
  before(async () => {
    sites = await openIngressSites();
  });
  after(() => sites?.close());

  const bring = (name: string, { chain, key }: SelfSigned) =>
    sites.secret(name, 'kubernetes.io/tls', { 'tls.crt': chain, 'tls.key': key });
  const shown = (host: string, believes?: string) =>
    handshake(sites.proxy.settings.httpsPort, host, believes === undefined ? {} : { believes });

  it('one that has ended is shown all the same: who checks refuses it, who does not gets in', async () => {
    const site = sites.site({}, { tls: 'ended' });
    const ended = selfSigned([site.host], 60_000);
    bring('ended', ended);
    assert.deepEqual([...(await sites.apply()).problems], []);
    await assert.rejects(shown(site.host, ended.chain), { code: 'CERT_HAS_EXPIRED' });
    assert.equal((await site.ask({ isTls: true })).status, 200);
    assert.equal((await site.ask()).status, 308, 'somebody brought it: there is HTTPS');
    const fresh = selfSigned([site.host]);
    bring('ended', fresh);
    await sites.apply();
    assert.equal((await shown(site.host, fresh.chain)).subject, site.host);
  });

  it('one for another host is shown where somebody wrote so: who checks refuses it', async () => {
    const site = sites.site({}, { tls: 'other' });
    const other = selfSigned(['other.test']);
    bring('other', other);
    await sites.apply();
    await assert.rejects(shown(site.host, other.chain), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
    assert.equal((await shown(site.host)).subject, 'other.test');
  });

  it('a key of another one is refused and named: the last good pair is shown, or that of nobody', async () => {
    const torn = (host: string) => ({ chain: selfSigned([host]).chain, key: selfSigned([host]).key });
    const [had, never] = [sites.site({}, { tls: 'had' }), sites.site({}, { tls: 'never' })];
    const good = selfSigned([had.host]);
    bring('had', good);
    bring('never', torn(never.host));
    await sites.apply();
    assert.equal(sites.problemOf(had), undefined);
    assert.equal((await shown(never.host)).subject, 'no host of this name here');
    bring('had', torn(had.host));
    await sites.apply();
    for (const site of [had, never]) {
      assert.match(sites.problemOf(site) ?? '', /private key belongs to another certificate/);
      assert.equal((await site.ask({ isTls: true })).status, 200, 'its requests are served');
    }
    assert.equal((await shown(had.host, good.chain)).subject, had.host);
  });

  it('a Secret that is not there is named', async () => {
    const site = sites.site({}, { tls: 'nowhere' });
    await sites.apply();
    assert.equal(sites.problemOf(site), 'there is no Secret shop/nowhere of type kubernetes.io/tls');
    assert.equal((await site.ask()).status, 200);
  });
});
