// SPDX-License-Identifier: Apache-2.0

// The echo service of README.md with grpc++: no protoc, messages are byte buffers. It stands on
// the parts that generated code stands on.
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <list>
#include <mutex>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/codegen/client_unary_call.h>
#include <grpcpp/impl/codegen/method_handler.h>
#include <grpcpp/impl/codegen/rpc_service_method.h>
#include <grpcpp/impl/codegen/service_type.h>
#include <grpcpp/impl/codegen/sync_stream.h>

using grpc::ByteBuffer;
using grpc::internal::RpcMethod;
using Clock = std::chrono::steady_clock;

static const int kSizeMax = 8 << 20;
static const int kSleepers = 100;

static ByteBuffer Bytes(size_t size)
{
	grpc::Slice slice(std::string(size, '\0'));
	return ByteBuffer(&slice, 1);
}

static std::string Read(const std::string &name)
{
	std::ifstream file(getenv("ECHO_TLS") + ("/" + name));
	return {std::istreambuf_iterator<char>(file), {}};
}

static std::shared_ptr<grpc::ServerCredentials> ServerSecurity()
{
	if (!getenv("ECHO_TLS"))
		return grpc::InsecureServerCredentials();
	grpc::SslServerCredentialsOptions options;
	options.pem_key_cert_pairs.push_back({Read("key.pem"), Read("cert.pem")});
	return grpc::SslServerCredentials(options);
}

static std::shared_ptr<grpc::ChannelCredentials> ClientSecurity()
{
	if (!getenv("ECHO_TLS"))
		return grpc::InsecureChannelCredentials();
	grpc::SslCredentialsOptions options;
	options.pem_root_certs = Read("cert.pem");
	return grpc::SslCredentials(options);
}

static std::string Blob(int size)
{
	std::string blob;
	for (int i = 0; i < size / 2; i++)
		blob += "b~";
	return blob;
}

static long long Since(Clock::time_point start)
{
	return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - start).count();
}

// --- server

static FILE *g_log;
static std::mutex g_log_mutex;

static int Wanted(const grpc::ServerContextBase *ctx, const char *name)
{
	auto it = ctx->client_metadata().find(name);
	return it == ctx->client_metadata().end()
		       ? 0
		       : atoi(std::string(it->second.data(), it->second.size()).c_str());
}

static grpc::Status Finish(grpc::ServerContext *ctx, const std::string &method)
{
	int code = Wanted(ctx, "want-code");
	auto start = Clock::now();
	auto end = start + std::chrono::milliseconds(Wanted(ctx, "want-sleep-ms"));
	if (end > start) {
		while (Clock::now() < end && !ctx->IsCancelled())
			std::this_thread::sleep_until(
				std::min(end, Clock::now() + std::chrono::milliseconds(50)));
		if (ctx->IsCancelled())
			code = grpc::StatusCode::CANCELLED;
		ctx->AddTrailingMetadata("slept-ns", std::to_string(Since(start)));
	}
	if (int size = Wanted(ctx, "want-metadata"))
		ctx->AddTrailingMetadata("x-blob", Blob(size));
	{
		std::lock_guard<std::mutex> lock(g_log_mutex);
		fprintf(g_log, "%s %d\n", method.c_str(), code);
		fflush(g_log);
	}
	return code ? grpc::Status(static_cast<grpc::StatusCode>(code), "as asked") : grpc::Status();
}

class EchoService : public grpc::Service {
public:
	EchoService()
	{
		AddUnary("Unary");
		for (int i = 0; i < kSleepers; i++) {
			char name[8];
			snprintf(name, sizeof(name), "S%03d", i);
			AddUnary(name);
		}
		Add("Collect", RpcMethod::CLIENT_STREAMING,
		    new grpc::internal::ClientStreamingHandler<EchoService, ByteBuffer, ByteBuffer>(
			    [](EchoService *, grpc::ServerContext *ctx,
			       grpc::ServerReader<ByteBuffer> *reader, ByteBuffer *reply) {
				    ByteBuffer message;
				    while (reader->Read(&message))
					    ;
				    *reply = Bytes(0);
				    return Finish(ctx, "Collect");
			    },
			    this));
		Add("Expand", RpcMethod::SERVER_STREAMING,
		    new grpc::internal::ServerStreamingHandler<EchoService, ByteBuffer, ByteBuffer>(
			    [](EchoService *, grpc::ServerContext *ctx, const ByteBuffer *,
			       grpc::ServerWriter<ByteBuffer> *writer) {
				    for (int i = Wanted(ctx, "want-messages"); i > 0; i--)
					    writer->Write(Bytes(Wanted(ctx, "want-bytes")));
				    return Finish(ctx, "Expand");
			    },
			    this));
		Add("Chat", RpcMethod::BIDI_STREAMING,
		    new grpc::internal::BidiStreamingHandler<EchoService, ByteBuffer, ByteBuffer>(
			    [](EchoService *, grpc::ServerContext *ctx,
			       grpc::ServerReaderWriter<ByteBuffer, ByteBuffer> *stream) {
				    ByteBuffer message;
				    while (stream->Read(&message))
					    stream->Write(message);
				    return Finish(ctx, "Chat");
			    },
			    this));
	}

private:
	void Add(const std::string &name, RpcMethod::RpcType type,
		 grpc::internal::MethodHandler *handler)
	{
		paths_.push_back("/e2e.Echo/" + name);
		AddMethod(new grpc::internal::RpcServiceMethod(paths_.back().c_str(), type, handler));
	}

	void AddUnary(const std::string &name)
	{
		Add(name, RpcMethod::NORMAL_RPC,
		    new grpc::internal::RpcMethodHandler<EchoService, ByteBuffer, ByteBuffer>(
			    [name](EchoService *, grpc::ServerContext *ctx, const ByteBuffer *request,
				   ByteBuffer *reply) {
				    *reply = *request;
				    return Finish(ctx, name);
			    },
			    this));
	}

	std::list<std::string> paths_; // method names are borrowed
};

static void Serve(const std::string &address, const char *path)
{
	g_log = fopen(path, "w");
	if (!g_log)
		exit(1);
	EchoService service;
	grpc::ServerBuilder builder;
	builder.AddListeningPort(address, ServerSecurity());
	builder.RegisterService(&service);
	builder.SetMaxReceiveMessageSize(kSizeMax);
	builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, 1 << 20);
	builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
	builder.BuildAndStart()->Wait();
}

// --- client

struct Call {
	int number = 0;
	std::string method;
	int code, sleep_ms, messages, bytes, deadline_ms, cancel_ms, extra;
};

struct Result {
	grpc::Status status;
	int sent = 0, received = 0;
};

static Result Run(const Call &call, const std::shared_ptr<grpc::Channel> &channel,
		  grpc::ClientContext *ctx)
{
	Result r;
	std::string path = "/e2e.Echo/" + call.method;
	ByteBuffer message = Bytes(call.bytes), reply;
	if (call.method == "Collect") {
		RpcMethod method(path.c_str(), RpcMethod::CLIENT_STREAMING);
		std::unique_ptr<grpc::ClientWriter<ByteBuffer>> writer(
			grpc::internal::ClientWriterFactory<ByteBuffer>::Create(channel.get(), method,
										ctx, &reply));
		while (r.sent < call.messages && writer->Write(message))
			r.sent++;
		writer->WritesDone();
		r.status = writer->Finish();
		r.received = r.status.ok();
	} else if (call.method == "Expand") {
		RpcMethod method(path.c_str(), RpcMethod::SERVER_STREAMING);
		std::unique_ptr<grpc::ClientReader<ByteBuffer>> reader(
			grpc::internal::ClientReaderFactory<ByteBuffer>::Create(channel.get(), method,
										ctx, message));
		r.sent = 1;
		while (reader->Read(&reply))
			r.received++;
		r.status = reader->Finish();
	} else if (call.method == "Chat") {
		RpcMethod method(path.c_str(), RpcMethod::BIDI_STREAMING);
		std::unique_ptr<grpc::ClientReaderWriter<ByteBuffer, ByteBuffer>> stream(
			grpc::internal::ClientReaderWriterFactory<ByteBuffer, ByteBuffer>::Create(
				channel.get(), method, ctx));
		while (r.sent < call.messages && stream->Write(message)) {
			r.sent++;
			if (!stream->Read(&reply))
				break;
			r.received++;
		}
		stream->WritesDone();
		while (stream->Read(&reply))
			r.received++;
		r.status = stream->Finish();
	} else {
		RpcMethod method(path.c_str(), RpcMethod::NORMAL_RPC);
		r.status = grpc::internal::BlockingUnaryCall<ByteBuffer, ByteBuffer>(
			channel.get(), method, ctx, message, &reply);
		r.sent = 1;
		r.received = r.status.ok();
	}
	return r;
}

static void Ask(const Call &call, const std::shared_ptr<grpc::Channel> &channel)
{
	grpc::ClientContext ctx;
	ctx.AddMetadata("want-code", std::to_string(call.code));
	ctx.AddMetadata("want-sleep-ms", std::to_string(call.sleep_ms));
	ctx.AddMetadata("want-messages", std::to_string(call.messages));
	ctx.AddMetadata("want-bytes", std::to_string(call.bytes));
	if (call.extra) {
		ctx.AddMetadata("want-metadata", std::to_string(call.extra));
		ctx.AddMetadata("x-blob", Blob(call.extra));
	}
	if (call.deadline_ms)
		ctx.set_deadline(std::chrono::system_clock::now() +
				 std::chrono::milliseconds(call.deadline_ms));
	std::thread canceller;
	if (call.cancel_ms)
		canceller = std::thread([&ctx, &call] {
			std::this_thread::sleep_for(std::chrono::milliseconds(call.cancel_ms));
			ctx.TryCancel();
		});
	auto wall = std::chrono::system_clock::now().time_since_epoch();
	auto start = Clock::now();
	Result r = Run(call, channel, &ctx);
	long long duration = Since(start);
	if (canceller.joinable())
		canceller.join();
	auto &trailers = ctx.GetServerTrailingMetadata();
	auto slept = trailers.find("slept-ns");
	std::ostringstream line;
	line << call.number << ' ' << call.method << ' ' << r.status.error_code() << ' ' << r.sent
	     << ' ' << r.received << ' '
	     << std::chrono::duration_cast<std::chrono::nanoseconds>(wall).count() << ' ' << duration
	     << ' '
	     << (slept == trailers.end() ? "0"
					 : std::string(slept->second.data(), slept->second.size()))
	     << '\n';
	std::string text = line.str();
	if (write(1, text.data(), text.size()) < 0)
		exit(1);
}

static void AskAll(const std::string &address, int connections, int workers)
{
	std::vector<std::shared_ptr<grpc::Channel>> channels;
	for (int i = 0; i < connections; i++) {
		grpc::ChannelArguments args;
		args.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
		args.SetInt(GRPC_ARG_MAX_METADATA_SIZE, 1 << 20);
		args.SetMaxReceiveMessageSize(kSizeMax);
		channels.push_back(grpc::CreateCustomChannel(address, ClientSecurity(), args));
	}
	for (auto &channel : channels)
		if (!channel->WaitForConnected(std::chrono::system_clock::now() +
					       std::chrono::seconds(20)))
			exit(1);
	if (write(1, "ready\n", 6) < 0)
		exit(1);
	std::mutex mutex;
	int number = 0;
	std::vector<std::thread> threads;
	for (int i = 0; i < workers; i++)
		threads.emplace_back([&, i] {
			for (;;) {
				Call call;
				{
					std::lock_guard<std::mutex> lock(mutex);
					if (!(std::cin >> call.method >> call.code >>
					      call.sleep_ms >> call.messages >> call.bytes >>
					      call.deadline_ms >> call.cancel_ms >> call.extra))
						return;
					call.number = number++;
				}
				Ask(call, channels[i % connections]);
			}
		});
	for (auto &thread : threads)
		thread.join();
}

int main(int, char **argv)
{
	std::string address = std::string(argv[2]) + ":" + argv[3];
	if (argv[1] == std::string("server"))
		Serve(address, argv[4]);
	else
		AskAll(address, atoi(argv[4]), atoi(argv[5]));
	return 0;
}
