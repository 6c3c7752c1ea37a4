import { startTestApi, type TestApi, type TestApiOptions } from '../../src/server/test-api.ts';
import { serveKube } from './serve-kube.ts';

/** A test API that listens on plain HTTP, for clients that are programs. */
export interface ListeningApi {
  readonly api: TestApi;
  readonly url: string;
  stop(): Promise<void>;
}

export async function startListeningApi(options: TestApiOptions = {}): Promise<ListeningApi> {
  const api = await startTestApi(options);
  const served = await serveKube(api.handler);
  return {
    api,
    url: served.url,
    stop: async () => {
      served.stop();
      await api.stop();
    },
  };
}
