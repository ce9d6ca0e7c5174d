/* The C++ wrapper's shim: a scenario's client and steps as one line of JSON on standard input, what came of each step as one
   line on standard output. It converts and never decides. JSON is read and written by nlohmann's library. */
#include <cmath>
#include <fstream>
#include <functional>
#include <iostream>
#include <junfeiai.hpp>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <thread>

using nlohmann::json;
namespace jf = junfeiai;

namespace {

jf::milliseconds ms(const json &seconds) { return jf::milliseconds(std::llround(seconds.get<double>() * 1000)); }

template <class T>
json maybe(const std::optional<T> &value) {
  return value ? json(*value) : json(nullptr);
}
json maybe(const std::optional<jf::milliseconds> &value) { return value ? json(value->count()) : json(nullptr); }
json maybe(const std::optional<std::chrono::system_clock::time_point> &value) {
  return value ? json(std::chrono::duration_cast<std::chrono::seconds>(value->time_since_epoch()).count()) : json(nullptr);
}

json error_json(const jf::error &e) {
  return {{"status", e.status()},
          {"kind", e.kind()},
          {"phase", e.phase()},
          {"message", e.what()},
          {"detail", e.detail()},
          {"field", maybe(e.field())},
          {"http_status", e.http_status()},
          {"server_code", maybe(e.server_code())},
          {"server_message", maybe(e.server_message())},
          {"request_id", maybe(e.request_id())},
          {"task_id", maybe(e.task_id())},
          {"last_status", jfai_task_status_name(static_cast<std::int32_t>(e.last_status()))},
          {"retry_after_ms", maybe(e.retry_after())},
          {"attempts", e.attempts()},
          {"maybe_executed", e.maybe_executed()},
          {"is_transient", e.is_transient()}};
}

json summary_json(const jf::summary &s) {
  return {{"path", s.path.string()},   {"bytes", s.bytes},     {"duration_ms", maybe(s.duration)}, {"width", maybe(s.width)},
          {"height", maybe(s.height)}, {"resumed", s.resumed}, {"attempts", s.attempts},           {"sha256", maybe(s.sha256)}};
}

json warnings_json(const std::vector<jf::warning> &warnings) {
  json list = json::array();
  for (const auto &w : warnings) list.push_back({{"code", w.code}, {"message", w.message}});
  return list;
}

/** C++ has no hash of its own: the bytes go to the file that the step names. */
json bytes_json(const json &with, std::size_t part, const void *data, std::size_t size) {
  const std::string name = with.at("into").get<std::string>() + "." + std::to_string(part);
  std::ofstream file(name, std::ios::binary);
  file.exceptions(std::ios::failbit | std::ios::badbit);
  file.write(static_cast<const char *>(data), static_cast<std::streamsize>(size));
  return {{"bytes", {{"length", size}, {"file", name}}}};
}

jf::client_options options_of(const json &with) {
  jf::client_options o;
  const std::map<std::string, std::function<void(const json &)>> setters = {
      {"api_key", [&](const json &v) { o.api_key(v.get<std::string>()); }},
      {"base_url", [&](const json &v) { o.endpoint(v.get<std::string>()); }},
      {"endpoint", [&](const json &v) { o.endpoint(v.get<std::string>()); }},
      {"endpoints", [&](const json &v) { for (const auto &one : v) o.add_endpoint(one.get<std::string>()); }},
      {"trusted_hosts", [&](const json &v) { for (const auto &one : v) o.trust_host(one.get<std::string>()); }},
      {"video_base_url", [&](const json &v) { o.video_base_url(v.get<std::string>()); }},
      {"headers", [&](const json &v) { for (const auto &[header, text] : v.items()) o.header(header, text.get<std::string>()); }},
      {"user_agent", [&](const json &v) { o.user_agent(v.get<std::string>()); }},
      {"language", [&](const json &v) { o.language(v.get<std::string>()); }},
      {"journal", [&](const json &v) { o.journal(v.get<std::string>()); }},
      {"journal_prompts", [&](const json &v) { o.journal_prompts(v.get<bool>()); }},
      {"max_cost", [&](const json &v) { o.max_cost(v.get<double>()); }},
      {"budget", [&](const json &v) { o.budget(v.get<double>()); }},
      {"max_cost_strict", [&](const json &v) { o.max_cost_strict(v.get<bool>()); }},
      {"proxy", [&](const json &v) { o.proxy(v.get<std::string>()); }},
      {"ca_file", [&](const json &v) { o.ca_file(v.get<std::string>()); }},
      {"timeout", [&](const json &v) { o.timeout(ms(v)); }},
      {"create_timeout", [&](const json &v) { o.create_timeout(ms(v)); }},
      {"connect_timeout", [&](const json &v) { o.connect_timeout(ms(v)); }},
      {"idle_timeout", [&](const json &v) { o.idle_timeout(ms(v)); }},
      {"wait_timeout", [&](const json &v) { o.wait_timeout(ms(v)); }},
      {"poll_interval", [&](const json &v) { o.poll_interval(ms(v)); }},
      {"request_rate", [&](const json &v) { o.request_rate(v.get<double>(), with.at("request_burst").get<unsigned>()); }},
      {"request_burst", [](const json &) {}},
      {"max_in_flight_creates", [&](const json &v) { o.max_in_flight_creates(v.get<unsigned>()); }},
      {"max_attempts", [&](const json &v) { o.max_attempts(v.get<unsigned>()); }}};
  for (const auto &[name, value] : with.items())
    if (!value.is_null()) setters.at(name)(value);
  return o;
}

class shim {
public:
  explicit shim(const json &with) : client_(options_of(with)) {}

  json step(const std::string &verb, const json &with) { return verbs().at(verb)(*this, with); }

private:
  using call = std::function<json(shim &, const json &)>;

  static const std::map<std::string, call> &verbs() {
    static const std::map<std::string, call> table = {
        {"new_client", [](shim &s, const json &w) { s.client_ = jf::client(options_of(w)); return json::object(); }},
        {"create", [](shim &s, const json &w) { auto c = cancel_of(w); return s.seen(s.client_.create(request_of(w["request"]), c.get())); }},
        {"get", [](shim &s, const json &w) { return s.seen(s.client_.get(s.id(w))); }},
        {"task_by_id", [](shim &s, const json &w) { return s.seen(s.client_.task_by_id(s.id(w))); }},
        {"refresh", [](shim &s, const json &) { return s.seen(s.task_->refresh()); }},
        {"wait", [](shim &s, const json &w) { return s.waited(w, [&](auto o, auto *c) { return s.task_->wait(std::move(o), c); }); }},
        {"generate", [](shim &s, const json &w) {
           return s.waited(w, [&](auto o, auto *c) { return s.client_.generate(request_of(w["request"]), std::move(o), c); });
         }},
        {"watch", [](shim &s, const json &) {
           json states = json::array();
           s.task_->watch([&](const jf::task &t) { states.push_back(t.raw_status()); });
           return json{{"states", states}};
         }},
        {"wait_state", [](shim &s, const json &w) {
           jf::wait_options o;
           if (w.contains("timeout")) o.timeout(ms(w["timeout"]));
           s.kept_ = s.task_->wait_state(std::move(o)).state();
           return json{{"later", json::parse(s.kept_)}};
         }},
        {"advance", [](shim &s, const json &w) {
           const auto c = cancel_of(w);
           for (;;) {
             const auto step = s.client_.advance(w.contains("state") ? w["state"].dump() : s.kept_, c.get());
             if (step.done()) return s.found(step.video());
             s.kept_ = step.state();
             if (!w.value("until_done", false)) return json{{"later", json::parse(s.kept_)}, {"pauses", step.retry_after().count() > 0}};
             std::this_thread::sleep_for(step.retry_after());
           }
         }},
        {"task_video", [](shim &s, const json &) { return s.found(s.task_->video()); }},
        {"video_by_id", [](shim &s, const json &w) { return s.found(s.client_.video_by_id(s.id(w))); }},
        {"video_at", [](shim &s, const json &w) { return s.found(s.client_.video_at(w["url"].get<std::string>())); }},
        {"bytes", [](shim &s, const json &w) {
           auto c = cancel_of(w);
           const auto all = s.video_->bytes(w.value("max_bytes", std::size_t{0}), c.get());
           return bytes_json(w, 0, all.data(), all.size());
         }},
        {"read_range", [](shim &s, const json &w) {
           const auto start = w["start"].get<std::uint64_t>();
           const auto part = s.video_->read_range(start, w["end"].get<std::uint64_t>() - start);
           return bytes_json(w, 0, part.data(), part.size());
         }},
        {"open", [](shim &s, const json &w) { return s.opened(w); }},
        {"save", [](shim &s, const json &w) {
           return json{{"summary", summary_json(s.video_->save(w["path"].get<std::string>(), save_options_of(w.value("options", json::object()))))}};
         }},
        {"as_completed", [](shim &s, const json &w) { return all_of(s.client_.wait_all(w["ids"].get<std::vector<std::string>>()), false); }},
        {"generate_many", [](shim &s, const json &w) {
           std::vector<jf::request> orders;
           for (const auto &order : w["requests"]) orders.push_back(request_of(order));
           return all_of(s.client_.generate_many(orders, w["concurrency"].get<std::size_t>()), true);
         }},
        {"check", [](shim &s, const json &w) { return json{{"report", json::parse(s.client_.check(w.value("account", false)).json)}}; }},
        {"models", [](shim &s, const json &) { return json{{"models", s.client_.models()}}; }},
        {"balance", [](shim &s, const json &) {
           const auto b = s.client_.balance();
           return json{{"balance", {{"name", maybe(b.name)}, {"unlimited", b.unlimited}, {"available_usd", maybe(b.available_usd)},
                                    {"used_usd", b.used_usd}, {"expires_at", maybe(b.expires_at)}}}};
         }},
        {"estimate", [](shim &s, const json &w) {
           const auto e = s.client_.estimate(request_of(w["request"]));
           auto all = json::parse(e.json);
           all["units"] = maybe(e.units);
           all["certainty"] = e.certainty;
           return json{{"estimate", all}};
         }},
        {"key", [](shim &s, const json &w) {
           const auto k = s.client_.find_key(w["key"].get<std::string>());
           if (!k) return json{{"known", nullptr}};
           return json{{"known", {{"state", static_cast<int>(k->state)}, {"attempt", k->attempt}, {"task_id", maybe(k->task_id)},
                                  {"path", k->path ? json(k->path->string()) : json(nullptr)}}}};
         }},
        {"pending", [](shim &s, const json &) {
           json list = json::array();
           for (const auto &p : s.client_.list_pending())
             list.push_back({{"state", static_cast<int>(p.state)}, {"task_id", maybe(p.task_id)}, {"model", p.model},
                             {"seconds", maybe(p.seconds)}, {"reason", maybe(p.reason)}, {"prompt", maybe(p.prompt)}});
           return json{{"pending", list}};
         }},
        {"forget", [](shim &s, const json &w) { return json{{"found", s.client_.forget(s.id(w))}}; }},
        {"reconcile", [](shim &s, const json &w) {
           const auto user = w.contains("account_user") ? std::optional<std::string>(w["account_user"].get<std::string>()) : std::nullopt;
           const auto found = w.contains("account_token") ? s.client_.reconcile(w["account_token"].get<std::string>(), user) : s.client_.reconcile();
           json list = json::array();
           for (const auto &e : found.entries)
             list.push_back({{"key", maybe(e.key)}, {"model", e.model}, {"seconds", maybe(e.seconds)}, {"verdict", static_cast<int>(e.verdict)},
                             {"reason", e.reason}, {"task_id", maybe(e.task_id)}, {"request_id", maybe(e.request_id)},
                             {"charged_units", maybe(e.charged_units)}});
           const auto again = found.retry_after ? json(found.retry_after->count()) : json(nullptr);
           return json{{"reconciled", {{"entries", list}, {"retry_after_ms", again}}}};
         }},
        {"resolve_unknown", [](shim &s, const json &w) {
           const auto id = w.contains("id") ? std::optional<std::string>(w["id"].get<std::string>()) : std::nullopt;
           bool known = false;
           for (const auto &p : s.client_.list_pending())
             if (p.intent) known = s.client_.resolve_unknown(*p.intent, id);
           return json{{"found", known}};
         }},
        {"resume_pending", [](shim &s, const json &w) { return all_of(s.client_.resume_pending(w["folder"].get<std::string>()), false); }}};
    return table;
  }

  static jf::request request_of(const json &order) { return jf::request::from_json(order.dump()); }

  static std::unique_ptr<jf::cancel_token> cancel_of(const json &with) {
    if (!with.contains("cancel")) return nullptr;
    auto token = std::make_unique<jf::cancel_token>();
    if (with["cancel"] == "now") token->cancel();
    return token;
  }

  static jf::save_options save_options_of(const json &with) {
    jf::save_options o;
    if (with.contains("overwrite")) o.overwrite(with["overwrite"]);
    if (with.contains("create_parents")) o.create_parents(with["create_parents"]);
    if (with.contains("sha256")) o.sha256(with["sha256"]);
    if (with.contains("verify")) o.verify(with["verify"]);
    if (with.contains("connections")) o.connections(with["connections"]);
    if (with.contains("timeout")) o.timeout(ms(with["timeout"]));
    if (with.contains("rate_limit")) o.rate_limit(with["rate_limit"].get<std::uint64_t>());
    return o;
  }

  static json all_of(jf::batch batch, bool by_index) {
    json ended = json::array();
    while (auto one = batch.next()) {
      json end = {{"key", by_index ? json(one->index) : maybe(one->task_id)}};
      const auto *video = jfai_result_video(one->result.get());
      if (one->error) end["error"] = error_json(*one->error);
      if (video != nullptr) end["video"] = {{"task_id", jfai_video_task_id(video)}, {"url", jfai_video_url(video) ? json(jfai_video_url(video)) : json(nullptr)}};
      if (const auto *s = jfai_result_summary(one->result.get()))
        end["summary"] = {{"bytes", jfai_summary_bytes(s)},
                          {"duration_ms", jfai_summary_duration_ms(s)},
                          {"width", jfai_summary_width(s)},
                          {"height", jfai_summary_height(s)}};
      ended.push_back(end);
    }
    return {{"ended", ended}};
  }

  json waited(const json &with, const std::function<jf::video(jf::wait_options, const jf::cancel_token *)> &begin) {
    json states = json::array();
    const auto cancel = cancel_of(with);
    jf::wait_options o;
    if (with.contains("timeout")) o.timeout(ms(with["timeout"]));
    o.on_progress([&](const jf::task_view &t) {
      states.push_back(t.raw_status());
      if (cancel) cancel->cancel();
    });
    auto outcome = found(begin(std::move(o), cancel.get()));
    outcome["states"] = states;
    return outcome;
  }

  json opened(const json &with) {
    jf::reader reader = video_->open();
    json reads = json::array();
    for (const auto &part : with["parts"]) {
      std::vector<char> room(part[1].get<std::size_t>());
      reader.seek(part[0].get<std::int64_t>());
      const auto got = reader.read(room.data(), room.size());
      reads.push_back(bytes_json(with, reads.size(), room.data(), got));
    }
    return {{"size", reader.size()}, {"reads", reads}};
  }

  std::string id(const json &with) const { return with.contains("id") ? with["id"].get<std::string>() : std::string(task_->id()); }

  json seen(jf::task t) {
    task_ = std::move(t);
    return {{"task",
             {{"id", task_->id()}, {"status", task_->status_name()}, {"raw_status", task_->raw_status()}, {"progress", maybe(task_->progress())},
              {"video_url", task_->video_url()}, {"fail_reason", task_->fail_reason()}, {"model", task_->model()},
              {"billed_seconds", maybe(task_->billed_seconds())}, {"charged_units", maybe(task_->charged_units())}, {"created_at", maybe(task_->created_at())},
              {"started_at", maybe(task_->started_at())}, {"finished_at", maybe(task_->finished_at())}}},
            {"warnings", warnings_json(task_->warnings())}};
  }

  json found(jf::video v) {
    video_ = std::move(v);
    return {{"video", {{"task_id", video_->task_id()}, {"url", video_->url()}}}};
  }

  jf::client client_;
  std::optional<jf::task> task_;
  std::optional<jf::video> video_;
  std::string kept_;
};

json carry_out(const json &scenario) {
  json steps = json::array();
  try {
    shim now(scenario["client"]);
    for (const auto &step : scenario["steps"]) {
      try {
        steps.push_back(now.step(step["do"], step.value("with", json::object())));
      } catch (const jf::error &e) {
        steps.push_back({{"error", error_json(e)}});
      } catch (const std::exception &e) {
        steps.push_back({{"thrown", e.what()}});
      }
    }
  } catch (const jf::error &e) {
    return {{"client", {{"error", error_json(e)}}}, {"steps", steps}};
  }
  return {{"client", json::object()}, {"steps", steps}};
}

} // namespace

int main() {
  for (std::string line; std::getline(std::cin, line);) std::cout << carry_out(json::parse(line)).dump() << std::endl;
  return 0;
}
