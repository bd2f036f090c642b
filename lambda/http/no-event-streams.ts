/** What handlers have in place of the SDK's event streams: none of their operations answers with one. One that did would fail here, and say so. */
function missing(): never {
  throw new Error('EventStreamsMissing: this bundle was built without event streams; name it in STREAMS of scripts/build-bundles.ts');
}

export { missing as EventStreamSerde, missing as eventStreamSerdeProvider };
