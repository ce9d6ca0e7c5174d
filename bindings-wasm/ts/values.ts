/** Plain values that several parts take or give. */

/** An image: a URL that the service fetches, or PNG, JPEG or WebP bytes that are sent inside the request. */
export type ImageInput = string | URL | Blob | ArrayBuffer | Uint8Array;

/** How far a read is. */
export interface Progress {
  bytes: number;
  total: number | null;
}
