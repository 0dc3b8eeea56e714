// A Node program with OpenTelemetry's own SDK: one trace of two spans, a counter, two kinds of histogram, one log record.
// node send.js URL (http://127.0.0.1:PORT) FORM (json or protobuf) COMPRESSION (none or gzip)
'use strict';
const { trace, context, SpanKind, SpanStatusCode } = require('@opentelemetry/api');
const { resourceFromAttributes } = require('@opentelemetry/resources');
const { NodeTracerProvider, BatchSpanProcessor } = require('@opentelemetry/sdk-trace-node');
const { MeterProvider, PeriodicExportingMetricReader, AggregationType } = require('@opentelemetry/sdk-metrics');
const { LoggerProvider, SimpleLogRecordProcessor } = require('@opentelemetry/sdk-logs');
const { OTLPMetricExporter } = require('@opentelemetry/exporter-metrics-otlp-http');
const { OTLPLogExporter } = require('@opentelemetry/exporter-logs-otlp-http');

const [url, form, compression] = process.argv.slice(2);
const { OTLPTraceExporter } = require(`@opentelemetry/exporter-trace-otlp-${form === 'json' ? 'http' : 'proto'}`);
const resource = resourceFromAttributes({ 'service.name': 'kiosk', 'service.instance.id': 'kiosk-1', 'service.namespace': 'shop' });
const to = (signal) => ({ url: `${url}/v1/${signal}`, compression });

async function main() {
  const traces = new NodeTracerProvider({ resource, spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter(to('traces')))] });
  const tracer = traces.getTracer('peer');
  const served = tracer.startSpan('GET /kiosk/{id}', {
    kind: SpanKind.SERVER,
    attributes: { 'http.request.method': 'GET', 'http.route': '/kiosk/{id}', 'url.path': '/kiosk/7', 'http.response.status_code': 500 },
  });
  const asked = tracer.startSpan('SELECT', { kind: SpanKind.CLIENT, attributes: { 'db.system.name': 'postgresql' } }, trace.setSpan(context.active(), served));
  asked.addEvent('retry', { attempt: 2 });
  asked.end();
  served.setStatus({ code: SpanStatusCode.ERROR, message: 'out of stock' });
  served.end();
  await traces.shutdown();

  const meters = new MeterProvider({
    resource,
    readers: [new PeriodicExportingMetricReader({ exporter: new OTLPMetricExporter(to('metrics')), exportIntervalMillis: 60000 })],
    views: [{ instrumentName: 'wide', aggregation: { type: AggregationType.EXPONENTIAL_HISTOGRAM } }],
  });
  const meter = meters.getMeter('peer');
  meter.createCounter('sold', { unit: '{item}', description: 'Items sold.' }).add(3, { kind: 'lamp' });
  for (const value of [0.2, 3, 40, 70000]) {
    meter.createHistogram('narrow', { unit: 's' }).record(value);
    meter.createHistogram('wide', { unit: 's' }).record(value);
  }
  await meters.shutdown();

  const logs = new LoggerProvider({ resource, processors: [new SimpleLogRecordProcessor({ exporter: new OTLPLogExporter(to('logs')) })] });
  logs.getLogger('peer').emit({ severityNumber: 17, severityText: 'ERROR', body: { what: 'paper', left: 0 }, attributes: { shelf: 3 } });
  await logs.forceFlush();
  await logs.shutdown();
  console.log(served.spanContext().traceId);
}

main();
