// What one request of a log shipper may hold.

/** The largest body, as it comes and unpacked. Docker's driver sends up to a thousand lines of 16 KiB at a time. */
export const MAX_BODY_BYTES = 16_777_216;
export const MAX_RECORDS = 20_000;
/** The labels of a stream come once and are on each of its entries, so a small body may make many bytes. */
export const MAX_STORED_BYTES = 67_108_864;
/** The most values that one JSON text or one protobuf message may hold. */
export const MAX_VALUES = 200_000;
