/** An image name taken apart as the Docker command line does it. */
export interface ImageReference {
  /** Host and port of the registry; `docker.io` when the name has none. */
  readonly registry: string;
  /** Path in the registry; `library/…` for the short names of docker.io. */
  readonly repository: string;
  /** Name as given, without tag and digest: what the engine wants as `fromImage`. */
  readonly name: string;
  /** Tag, or digest when given (`sha256:…`); `latest` by default. */
  readonly version: string;
}

export function parseImageReference(image: string): ImageReference {
  const [nameAndTag = '', digest] = image.split('@', 2);
  // A colon before the last slash belongs to the registry's port.
  const colon = nameAndTag.indexOf(':', nameAndTag.lastIndexOf('/') + 1);
  const name = colon < 0 ? nameAndTag : nameAndTag.slice(0, colon);
  const tag = colon < 0 ? 'latest' : nameAndTag.slice(colon + 1);
  const slash = name.indexOf('/');
  const first = slash < 0 ? '' : name.slice(0, slash);
  const hasRegistry = first.includes('.') || first.includes(':') || first === 'localhost';
  const path = hasRegistry ? name.slice(slash + 1) : name;
  const isHub = !hasRegistry || first === 'docker.io' || first === 'index.docker.io';
  return {
    registry: isHub ? 'docker.io' : first,
    repository: isHub && !path.includes('/') ? `library/${path}` : path,
    name,
    version: digest ?? tag,
  };
}
