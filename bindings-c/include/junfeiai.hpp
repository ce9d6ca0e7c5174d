/**
 * @file junfeiai.hpp
 * junfeiai.h for C++17: RAII, exceptions or results, std::chrono, std::filesystem, std::future, std::istream.
 *
 * Every call comes in two forms: `client.create(request)` throws junfeiai::error, `client.try_create(request)` returns a
 * junfeiai::result. `…_async` returns a std::future, or calls a function on the library's thread or in a queue's drain().
 * Classes are move-only; what C takes as const may be used by several threads at the same time. Texts returned as
 * std::string_view belong to the object they come from. A moved-from object is empty: using it is JFAI_ERR_ARGUMENT.
 *
 * A function that you give may throw. When a progress function does, the call ends with a junfeiai::error of the kind
 * "cancelled" that has the task's id; your exception is its cause(), and nested in what is thrown, for
 * std::rethrow_if_nested(). When a completion function does, drain() throws such an error; where no drain() is running it
 * goes to the function of set_unhandled().
 *
 * Without exceptions (-fno-exceptions) use the `try_…` forms and completion functions, which are called at once with the error of a
 * call that cannot start: where another form would throw, the message of the error is written to standard error and the program is
 * aborted.
 */
// SPDX-License-Identifier: Apache-2.0 OR MIT
#ifndef JUNFEIAI_HPP
#define JUNFEIAI_HPP

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <functional>
#include <future>
#include <istream>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <streambuf>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "junfeiai.h"

/** @cond */
// The catch is what a compiler without exceptions never comes to.
#if defined(__cpp_exceptions) || defined(_CPPUNWIND)
#define JFAI_EXCEPTIONS 1
#define JFAI_TRY try
#define JFAI_CATCH_ALL catch (...)
#else
#define JFAI_EXCEPTIONS 0
#define JFAI_TRY if constexpr (true)
#define JFAI_CATCH_ALL else
#endif
/** @endcond */

namespace junfeiai {

using std::chrono::milliseconds;

/** As a time: without a limit. */
inline constexpr milliseconds forever = (milliseconds::max)(); // in parentheses: windows.h has a macro of that name

/** A text that is passed: whatever a std::string_view can be made of. A null pointer, which std::getenv() may return, is refused. */
class text_view {
public:
  /** A text with a NUL at its end, or a null pointer. */
  text_view(const char *s) noexcept : view_(s != nullptr ? std::string_view(s) : std::string_view()), null_(s == nullptr) {} // NOLINT: implicit
  /** A text of this length. */
  text_view(const char *s, std::size_t size) noexcept : view_(s, size) {}
  /** A std::string, std::string_view or the like. */
  template <class T, class = std::enable_if_t<std::is_convertible_v<const T &, std::string_view> && !std::is_convertible_v<const T &, const char *>>>
  text_view(const T &s) : view_(s) {} // NOLINT: implicit
  /** The text. */
  std::string_view view() const noexcept { return view_; }
  /** True for a null pointer. */
  bool is_null() const noexcept { return null_; }

private:
  std::string_view view_;
  bool null_ = false;
};

/** The states of a task. */
enum class task_status : std::int32_t {
  unknown = JFAI_TASK_UNKNOWN,         ///< Not queried yet, or a status that is not known here: treated as still running.
  queued = JFAI_TASK_QUEUED,           ///< Accepted, not started.
  in_progress = JFAI_TASK_IN_PROGRESS, ///< In progress.
  succeeded = JFAI_TASK_SUCCEEDED,     ///< Done; the video can be read.
  failed = JFAI_TASK_FAILED            ///< Ended without a video.
};

/** How strictly a request is checked before it is sent. */
enum class validate : std::int32_t {
  normal = JFAI_VALIDATE_DEFAULT, ///< Refuses what violates the service document; its advice gives warnings.
  strict = JFAI_VALIDATE_STRICT,  ///< Treats warnings as errors.
  off = JFAI_VALIDATE_OFF         ///< Sends everything as it is.
};

/** The levels of the log. */
enum class log_level : std::int32_t {
  error = JFAI_LOG_ERROR, ///< Something is wrong.
  warn = JFAI_LOG_WARN,   ///< Advice that a request does not follow, and the like.
  info = JFAI_LOG_INFO,   ///< Tasks created, videos saved.
  debug = JFAI_LOG_DEBUG, ///< Every request.
  trace = JFAI_LOG_TRACE  ///< Everything.
};

/** @cond */
namespace detail {

inline std::string text(const char *s) { return s != nullptr ? std::string(s) : std::string(); }
inline std::string_view view(const char *s) { return s != nullptr ? std::string_view(s) : std::string_view(); }
inline std::optional<std::string> maybe(const char *s) {
  return s != nullptr ? std::optional<std::string>(s) : std::nullopt;
}
inline std::filesystem::path path(const char *s) {
#if !defined(_WIN32)
  return std::filesystem::path(text(s));
#elif defined(__cpp_char8_t)
  const auto u8 = text(s);
  return std::filesystem::path(std::u8string(u8.begin(), u8.end()));
#else
  return std::filesystem::u8path(text(s));
#endif
}

template <class T, void (*Free)(T *)>
struct deleter {
  void operator()(T *p) const noexcept { Free(p); }
};
template <class T, void (*Free)(T *)>
using handle = std::unique_ptr<T, deleter<T, Free>>;

struct error_record {
  jfai_status status = JFAI_OK;
  std::string kind, phase, message, detail, json;
  std::optional<std::string> field, server_code, server_message, request_id, task_id;
  int http_status = 0;
  task_status last_status = task_status::unknown;
  std::vector<std::string> task_ids;
  std::optional<milliseconds> retry_after;
  unsigned attempts = 0;
  bool maybe_executed = false, transient = false;
  std::exception_ptr cause;
};
struct errors;

} // namespace detail
/** @endcond */

/** Any failure of the library. what() is one line that says what happened and what to do next. */
class error : public std::runtime_error {
public:
  /** Takes over an error object of C. */
  explicit error(jfai_error *e) : error(read(detail::handle<jfai_error, jfai_error_free>(e).get())) {}
  /** Reads an error object of C that the caller keeps. */
  static error copy_of(const jfai_error *e) { return error(read(e)); }

  /** The number of its kind: `JFAI_ERR_…`. */
  jfai_status status() const noexcept { return record_->status; }
  /** The name of its kind, such as "task_failed". */
  const std::string &kind() const noexcept { return record_->kind; }
  /** Where it happened: "create", "wait", "save", … */
  const std::string &phase() const noexcept { return record_->phase; }
  /** What happened, without what what() adds. */
  const std::string &detail() const noexcept { return record_->detail; }
  /** The option or request field at fault. */
  const std::optional<std::string> &field() const noexcept { return record_->field; }
  /** The HTTP status of the response, or 0. */
  int http_status() const noexcept { return record_->http_status; }
  /** The server's own code. */
  const std::optional<std::string> &server_code() const noexcept { return record_->server_code; }
  /** The server's own message, in its language. */
  const std::optional<std::string> &server_message() const noexcept { return record_->server_message; }
  /** The server's request id, for its administrator. */
  const std::optional<std::string> &request_id() const noexcept { return record_->request_id; }
  /** The task that it is about; there on every error after a task exists. */
  const std::optional<std::string> &task_id() const noexcept { return record_->task_id; }
  /** Every task that it is about: of client::generate_many() those that exist when it ends early. */
  const std::vector<std::string> &task_ids() const noexcept { return record_->task_ids; }
  /** The last state seen of that task. */
  task_status last_status() const noexcept { return record_->last_status; }
  /** How long the server asked to wait. */
  std::optional<milliseconds> retry_after() const noexcept { return record_->retry_after; }
  /** How many requests were sent for the call. */
  unsigned attempts() const noexcept { return record_->attempts; }
  /** True when the request may have been carried out, and charged, although no response was received. */
  bool maybe_executed() const noexcept { return record_->maybe_executed; }
  /** True when the same call may succeed later without any change. */
  bool is_transient() const noexcept { return record_->transient; }
  /** All of it as one JSON object. */
  const std::string &json() const noexcept { return record_->json; }
  /** What a function of yours threw, when that ended the call; else null. */
  const std::exception_ptr &cause() const noexcept { return record_->cause; }

private:
  friend struct detail::errors;
  explicit error(std::shared_ptr<const detail::error_record> r) : std::runtime_error(r->message), record_(std::move(r)) {}

  static std::shared_ptr<const detail::error_record> read(const jfai_error *e) {
    auto r = std::make_shared<detail::error_record>();
    r->status = jfai_error_status(e);
    r->kind = detail::text(jfai_error_kind(e));
    r->phase = detail::text(jfai_error_phase(e));
    r->message = detail::text(jfai_error_message(e));
    r->detail = detail::text(jfai_error_detail(e));
    r->json = detail::text(jfai_error_json(e));
    r->field = detail::maybe(jfai_error_field(e));
    r->server_code = detail::maybe(jfai_error_server_code(e));
    r->server_message = detail::maybe(jfai_error_server_message(e));
    r->request_id = detail::maybe(jfai_error_request_id(e));
    r->task_id = detail::maybe(jfai_error_task_id(e));
    for (std::size_t i = 0; i < jfai_error_task_count(e); ++i)
      r->task_ids.push_back(detail::text(jfai_error_task_id_at(e, i)));
    r->http_status = jfai_error_http_status(e);
    r->last_status = static_cast<task_status>(jfai_error_last_status(e));
    if (auto after = jfai_error_retry_after_ms(e); after >= 0) r->retry_after = milliseconds(after);
    r->attempts = jfai_error_attempts(e);
    r->maybe_executed = jfai_error_maybe_executed(e);
    r->transient = jfai_error_is_transient(e);
    return r;
  }

  std::shared_ptr<const detail::error_record> record_;
};

/** @cond */
namespace detail {

/** Errors that are made on this side of C. */
struct errors {
  /** An argument that C is not given. */
  static error argument(const std::string &text, const std::optional<std::string> &task_id = std::nullopt) {
    return make(JFAI_ERR_ARGUMENT, "argument", "config", text, "an argument is NULL, not UTF-8 or out of range; the message names it", task_id);
  }
  /** A function of the caller threw, and C has no error for it. */
  static error stopped(const std::string &text, const std::optional<std::string> &task_id) {
    const auto *next = task_id ? "this task exists: continue with it by its id, and do not create it again" : "call again when you want to go on";
    return make(JFAI_ERR_CANCELLED, "cancelled", "wait", text, next, task_id);
  }
  /** The same error, with what a function of the caller threw. */
  static error caused_by(const error &e, const char *function, const std::exception_ptr &cause) {
    auto r = std::make_shared<error_record>(*e.record_);
    const auto before = "the " + std::string(function) + " function threw " + what(cause) + ": ";
    r->message = before + r->message;
    r->detail = before + r->detail;
    r->cause = cause;
    return error(std::shared_ptr<const error_record>(std::move(r)));
  }
  /** Throws it, with the exception of the caller nested in it. */
  [[noreturn]] static void raise(const error &e) {
#if JFAI_EXCEPTIONS
    if (!e.cause()) throw e;
    try {
      std::rethrow_exception(e.cause());
    } catch (...) {
      std::throw_with_nested(e);
    }
#else
    std::fprintf(stderr, "junfeiai: %s\n", e.what());
    std::abort();
#endif
  }

private:
  static error make(jfai_status status, const char *kind, const char *phase, const std::string &text, const char *next,
                    const std::optional<std::string> &task_id) {
    auto r = std::make_shared<error_record>();
    r->status = status;
    r->kind = kind;
    r->phase = phase;
    r->detail = text;
    r->message = text + (task_id ? " (task " + *task_id + "); " : "; ") + next;
    r->task_id = task_id;
    if (task_id) r->task_ids.push_back(*task_id);
    r->json = "{\"kind\":" + quoted(r->kind) + ",\"number\":" + std::to_string(status) + ",\"phase\":" + quoted(r->phase) + ",\"message\":" + quoted(text) +
              ",\"task_id\":" + (task_id ? quoted(*task_id) : "null") + ",\"text\":" + quoted(r->message) + "}";
    return error(std::shared_ptr<const error_record>(std::move(r)));
  }
  static std::string what([[maybe_unused]] const std::exception_ptr &e) {
#if JFAI_EXCEPTIONS
    try {
      std::rethrow_exception(e);
    } catch (const std::exception &known) {
      return known.what();
    } catch (...) {
    }
#endif
    return "something that is no std::exception";
  }
  static std::string quoted(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
      if (c == '"' || c == '\\') out += '\\';
      if (static_cast<unsigned char>(c) < 0x20) out += ' ';
      else out += c;
    }
    return out + '"';
  }
};

/** Why C is not given a text, if it is not: where it has a NUL inside, less would be sent than was written. */
inline std::optional<error> refused(const text_view &v, const char *name, const std::optional<std::string> &task_id = std::nullopt) {
  if (v.is_null()) return errors::argument(std::string(name) + " is NULL", task_id);
  if (const auto at = v.view().find('\0'); at != std::string_view::npos)
    return errors::argument(std::string(name) + " has a NUL inside, at byte " + std::to_string(at), task_id);
  return std::nullopt;
}
/** A text for C. */
inline std::string c_text(const text_view &v, const char *name) {
  if (const auto bad = refused(v, name)) errors::raise(*bad);
  return std::string(v.view());
}
inline std::string utf8(const std::filesystem::path &p) {
#if defined(_WIN32)
  const auto u8 = p.u8string(); // of char8_t since C++20
  return std::string(u8.begin(), u8.end());
#else
  return p.string();
#endif
}
inline std::optional<error> refused(const std::filesystem::path &p, const char *name, const std::optional<std::string> &task_id) {
  return refused(text_view(utf8(p)), name, task_id);
}
inline std::string path(const std::filesystem::path &p, const char *name) { return c_text(utf8(p), name); }
inline std::uint64_t ms(milliseconds t, const char *name) {
  if (t == forever) return JFAI_FOREVER;
  if (t.count() < 0)
    errors::raise(errors::argument(std::string(name) + " is " + std::to_string(t.count()) + " ms: a time cannot be negative"));
  return static_cast<std::uint64_t>(t.count());
}

} // namespace detail
/** @endcond */

/** What a `try_…` form returns: a value or an error. */
template <class T>
class [[nodiscard]] result {
public:
  /** A value. */
  result(T value) : state_(std::in_place_index<0>, std::move(value)) {} // NOLINT: it is one or the other
  /** An error. */
  result(junfeiai::error e) : state_(std::in_place_index<1>, std::move(e)) {} // NOLINT
  /** True when there is a value. */
  bool has_value() const noexcept { return state_.index() == 0; }
  /** True when there is a value. */
  explicit operator bool() const noexcept { return has_value(); }
  /** The value; throws the error when there is none. */
  T value() && {
    if (!has_value()) detail::errors::raise(std::get<1>(state_));
    return std::get<0>(std::move(state_));
  }
  /** The value; throws the error when there is none. */
  T &value() & {
    if (!has_value()) detail::errors::raise(std::get<1>(state_));
    return std::get<0>(state_);
  }
  /** The value; throws the error when there is none. */
  T &operator*() & { return value(); }
  /** The value; throws the error when there is none. */
  T *operator->() { return &value(); }
  /** The error; throws std::bad_variant_access when there is a value. */
  const junfeiai::error &error() const { return std::get<1>(state_); }

private:
  std::variant<T, junfeiai::error> state_;
};

/** @cond */
namespace detail {

inline void check(jfai_status status, jfai_error *e) {
  if (status != JFAI_OK) errors::raise(error(e));
}

/** Calls `f(&out, &err)` and makes a result of it. */
template <class T, class Raw, class F>
result<T> made(F &&f) {
  Raw *out = nullptr;
  jfai_error *e = nullptr;
  if (f(&out, &e) != JFAI_OK) return error(e);
  return T(out);
}

/** made(), unless an argument was refused before. */
template <class T, class Raw, class F>
result<T> made(const std::optional<error> &bad, F &&f) {
  if (bad) return *bad;
  return made<T, Raw>(std::forward<F>(f));
}

/** Calls `f(&err)` and throws. */
template <class F>
void done(F &&f) {
  jfai_error *e = nullptr;
  const auto status = f(&e); // first: arguments are evaluated in any order
  check(status, e);
}

/** Functions that may be none: a null pointer, an empty std::function. */
template <class F>
struct may_be_none : std::is_pointer<F> {};
template <class Signature>
struct may_be_none<std::function<Signature>> : std::true_type {};
#if defined(__cpp_lib_move_only_function)
template <class... Signature>
struct may_be_none<std::move_only_function<Signature...>> : std::true_type {};
#endif
template <class F>
bool is_none([[maybe_unused]] const F &f) noexcept {
  if constexpr (may_be_none<F>::value) return !f;
  else return false;
}

/** A function for progress that may return nothing (continue) or false (end the call). */
template <class Arg>
class progress {
public:
  progress() = default;
  template <class F>
  void set(F f) {
    if (is_none(f)) {
      f_ = nullptr;
      return;
    }
    if constexpr (std::is_void_v<std::invoke_result_t<F &, Arg>>) {
      f_ = [f = std::move(f)](Arg a) mutable {
        f(a);
        return true;
      };
    } else {
      f_ = [f = std::move(f)](Arg a) mutable { return static_cast<bool>(f(a)); };
    }
  }
  explicit operator bool() const noexcept { return static_cast<bool>(f_); }
  /** For C: 0 continues. An exception ends the call, which hands it to the caller. */
  int tell(Arg a, std::exception_ptr &thrown) const noexcept {
    if (thrown) return 1;
    JFAI_TRY {
      return f_(a) ? 0 : 1;
    } JFAI_CATCH_ALL {
      thrown = std::current_exception();
      return 1;
    }
  }

private:
  std::function<bool(Arg)> f_;
};

} // namespace detail
/** @endcond */

/** The library's version. */
inline std::string_view version() noexcept { return detail::view(jfai_version()); }

/** @cond */
namespace detail {
using log_function = std::function<void(log_level, std::string_view)>;
inline void set_log(log_function f, log_level level) {
  // The one before lives until C has stopped calling it; the last one to the end of the process, where a client that is static may
  // still have something to log.
  static auto &lock = *new std::mutex;
  static auto &current = *new std::unique_ptr<log_function>;
  const std::lock_guard<std::mutex> hold(lock);
  auto next = f ? std::make_unique<log_function>(std::move(f)) : nullptr;
  const auto tell = [](void *user, std::int32_t level_, const char *line) {
    JFAI_TRY {
      (*static_cast<log_function *>(user))(static_cast<log_level>(level_), view(line));
    } JFAI_CATCH_ALL {
      // C stands between here and whoever could catch it.
    }
  };
  done([&](jfai_error **e) {
    return jfai_set_log(next ? +tell : nullptr, next.get(), static_cast<std::int32_t>(level), e);
  });
  current = std::move(next);
}
} // namespace detail
/** @endcond */

/** Sets the log callback of every client of this process: `f(log_level, std::string_view)` is called on whichever thread works. */
template <class F>
void set_log(F f, log_level level = log_level::info) {
  detail::set_log(detail::log_function(std::move(f)), level);
}
/** Removes the log callback. */
inline void clear_log() { detail::set_log(nullptr, log_level::error); }

/** Stops calls from any thread. A paid task is never cancelled, only the call that waits for it or reads it. */
class cancel_token {
public:
  cancel_token() {
    detail::done([&](jfai_error **e) {
      jfai_cancel *out = nullptr;
      auto s = jfai_cancel_new(&out, e);
      token_.reset(out);
      return s;
    });
  }
  /** Ends every call that has this token, now and later. From any thread, but not in a signal handler. */
  void cancel() const noexcept { jfai_cancel_now(token_.get()); }
  /** True after cancel(). */
  bool cancelled() const noexcept { return jfai_cancel_is_cancelled(token_.get()); }
  /** The handle of C. */
  const jfai_cancel *get() const noexcept { return token_.get(); }

private:
  detail::handle<jfai_cancel, jfai_cancel_free> token_;
};

/** @cond */
namespace detail {
/** Why a token is refused, if it is: as NULL a moved-from one would mean that nothing cancels. */
inline std::optional<error> refused(const cancel_token *c, const std::optional<std::string> &task_id = std::nullopt) {
  if (c != nullptr && c->get() == nullptr) return errors::argument("cancel is a moved-from cancel_token", task_id);
  return std::nullopt;
}
inline const jfai_cancel *raw(const cancel_token *c) {
  if (const auto bad = refused(c)) errors::raise(*bad);
  return c != nullptr ? c->get() : nullptr;
}
inline std::optional<error> either(std::optional<error> first, std::optional<error> second) { return first ? std::move(first) : std::move(second); }
} // namespace detail
/** @endcond */

/** @cond */
namespace detail {
inline std::vector<std::string> names(jfai_names *n) {
  handle<jfai_names, jfai_names_free> keep(n);
  std::vector<std::string> list;
  for (std::size_t i = 0; i < jfai_names_count(n); ++i) list.push_back(text(jfai_names_at(n, i)));
  return list;
}
} // namespace detail
/** @endcond */

/** Advice that a request does not follow. */
struct warning {
  std::string code;    ///< Its stable name.
  std::string message; ///< One line of text.
};

/** @cond */
namespace detail {
inline std::vector<warning> warnings(const jfai_warnings *w) {
  std::vector<warning> list;
  for (std::size_t i = 0; i < jfai_warnings_count(w); ++i)
    list.push_back({text(jfai_warnings_code(w, i)), text(jfai_warnings_message(w, i))});
  return list;
}
} // namespace detail
/** @endcond */

/** A request for one video. Setters return the request, to be chained. */
class request {
public:
  /** A request with this prompt and every default. */
  explicit request(text_view prompt) {
    detail::done([&](jfai_error **e) {
      jfai_request *out = nullptr;
      auto s = jfai_request_new(detail::c_text(prompt, "prompt").c_str(), &out, e);
      request_.reset(out);
      return s;
    });
  }
  /** A request from a JSON object. */
  static request from_json(text_view json) {
    jfai_request *out = nullptr;
    detail::done([&](jfai_error **e) { return jfai_request_from_json(detail::c_text(json, "json").c_str(), &out, e); });
    return request(out);
  }
  /** Sets the model. */
  request &model(text_view v) { return set(jfai_request_set_model, "model", v); }
  /** Sets the length in seconds. */
  request &seconds(double v) {
    detail::done([&](jfai_error **e) { return jfai_request_set_seconds(request_.get(), v, e); });
    return *this;
  }
  /** Sets the length. */
  template <class Rep, class Period>
  request &seconds(std::chrono::duration<Rep, Period> v) {
    return seconds(std::chrono::duration<double>(v).count());
  }
  /** Sets the frame size such as "1280x720". */
  request &size(text_view v) { return set(jfai_request_set_size, "size", v); }
  /** Sets the one image to start from, as a URL that the service fetches. */
  request &image_url(text_view v) { return set(jfai_request_set_image_url, "image_url", v); }
  /** Sets the one image to start from, as a file that is read now. */
  request &image_file(const std::filesystem::path &v) {
    return set(jfai_request_set_image_file, "image_file", detail::path(v, "image_file"));
  }
  /** Sets the one image to start from, as the bytes of a file. */
  request &image_bytes(const void *data, std::size_t size) {
    return bytes(jfai_request_set_image_bytes, data, size);
  }
  /** Adds a reference image, as a URL that the service fetches. */
  request &reference_url(text_view v) { return set(jfai_request_add_reference_url, "reference_url", v); }
  /** Adds a reference image, as a file that is read now. */
  request &reference_file(const std::filesystem::path &v) {
    return set(jfai_request_add_reference_file, "reference_file", detail::path(v, "reference_file"));
  }
  /** Adds a reference image, as the bytes of a file. */
  request &reference_bytes(const void *data, std::size_t size) {
    return bytes(jfai_request_add_reference_bytes, data, size);
  }
  /** Adds a further field whose value is JSON, passed on as it is. */
  request &extra_json(text_view name, text_view json) {
    detail::done([&](jfai_error **e) {
      return jfai_request_set_extra_json(request_.get(), detail::c_text(name, "name").c_str(),
                                         detail::c_text(json, "json").c_str(), e);
    });
    return *this;
  }
  /** Sets your own name for the job: one task is created per key, whoever asks, however often. Needs a journal. */
  request &key(text_view v) { return set(jfai_request_set_key, "key", v); }
  /** Sets whether another task is created under the key when its task failed. */
  request &retry_failed(bool yes = true) {
    detail::done([&](jfai_error **e) { return jfai_request_set_retry_failed(request_.get(), yes, e); });
    return *this;
  }
  /** Sets how strictly it is checked. */
  request &check_as(validate v) {
    detail::done(
        [&](jfai_error **e) { return jfai_request_set_validate(request_.get(), static_cast<std::int32_t>(v), e); });
    return *this;
  }
  /** Checks it as create() does, without sending it; returns the warnings. */
  std::vector<warning> check() const {
    jfai_warnings *out = nullptr;
    detail::done([&](jfai_error **e) { return jfai_request_check(request_.get(), &out, e); });
    detail::handle<jfai_warnings, jfai_warnings_free> keep(out);
    return detail::warnings(out);
  }
  /** The handle of C. */
  const jfai_request *get() const noexcept { return request_.get(); }

private:
  explicit request(jfai_request *r) : request_(r) {}
  template <class F>
  request &set(F f, const char *name, text_view v) {
    detail::done([&](jfai_error **e) { return f(request_.get(), detail::c_text(v, name).c_str(), e); });
    return *this;
  }
  template <class F>
  request &bytes(F f, const void *data, std::size_t size) {
    detail::done(
        [&](jfai_error **e) { return f(request_.get(), static_cast<const std::uint8_t *>(data), size, e); });
    return *this;
  }
  detail::handle<jfai_request, jfai_request_free> request_;
};

/** The result of a save. */
struct summary {
  std::filesystem::path path;                 ///< Where the file is.
  std::uint64_t bytes = 0;                    ///< Its length.
  std::optional<milliseconds> duration;       ///< Its duration, as the file says.
  std::optional<std::uint32_t> width;         ///< In pixels, as the file says.
  std::optional<std::uint32_t> height;        ///< In pixels, as the file says.
  bool resumed = false;                       ///< True when the download was resumed.
  unsigned attempts = 0;                      ///< Requests sent for it.
  milliseconds elapsed{0};                    ///< How long the call took.
  std::optional<std::string> sha256;          ///< In hexadecimal, when it was requested.
  std::optional<std::int64_t> charged_units;  ///< What the task cost, in units (500000 = 1 USD), where it is known.

  summary() = default;
  /** Takes over a summary of C. */
  explicit summary(jfai_summary *s) {
    detail::handle<jfai_summary, jfai_summary_free> keep(s);
    path = detail::path(jfai_summary_path(s));
    bytes = jfai_summary_bytes(s);
    if (auto d = jfai_summary_duration_ms(s); d >= 0) duration = milliseconds(d);
    if (auto w = jfai_summary_width(s); w != 0) width = w;
    if (auto h = jfai_summary_height(s); h != 0) height = h;
    resumed = jfai_summary_resumed(s);
    attempts = jfai_summary_attempts(s);
    elapsed = milliseconds(jfai_summary_elapsed_ms(s));
    sha256 = detail::maybe(jfai_summary_sha256(s));
    if (const auto units = jfai_summary_charged_units(s); units >= 0) charged_units = units;
  }
};

/** How far a save is. */
struct save_progress {
  std::uint64_t bytes;     ///< Bytes that are there.
  std::uint64_t total;     ///< Length of the file; 0 until it is known.
  double bytes_per_second; ///< Of this call, over the last second or so.
};

/** @cond */
namespace detail {
struct wait_state;
struct save_state;
} // namespace detail
/** @endcond */

/** How a video is saved. */
class save_options {
public:
  // Written from core/options.toml by `make options`. options: save
  /** Connections used at once, 1–16; more than one helps where each connection is slow. Default: 1. Other numbers are
   * refused. */
  save_options &connections(std::uint32_t v) {
    connections_ = v;
    return *this;
  }
  /** Replaces an existing file; otherwise it is an error. Default: `false`. */
  save_options &overwrite(bool v) {
    overwrite_ = v;
    return *this;
  }
  /** Creates missing folders; otherwise it is an error. Default: `false`. */
  save_options &create_parents(bool v) {
    create_parents_ = v;
    return *this;
  }
  /** Computes the SHA-256 of the file. Default: `false`. */
  save_options &sha256(bool v) {
    sha256_ = v;
    return *this;
  }
  /** Checks that every sample of the MP4 is present; if off, bytes that an earlier check refused are used without another
   * request. Default: `true`. */
  save_options &verify(bool v) {
    verify_ = v;
    return *this;
  }
  /** Timeout of the whole save. Default: none. Zero is refused. */
  save_options &timeout(milliseconds v) {
    timeout_ = detail::ms(v, "timeout");
    return *this;
  }
  /** Maximum number of bytes per second. Default: none. 0 is refused. */
  save_options &rate_limit(std::uint64_t v) {
    rate_limit_ = v;
    return *this;
  }
  // options: end

  /** Calls `f(const save_progress &)` while bytes come; it may return false to end the call. An empty std::function is none. */
  template <class F>
  save_options &on_progress(F f) {
    progress_.set(std::move(f));
    return *this;
  }

private:
  friend struct detail::save_state;
  detail::progress<const save_progress &> progress_;
  // Written from core/options.toml by `make options`. options: save fields
  std::optional<std::uint32_t> connections_;
  std::optional<bool> overwrite_;
  std::optional<bool> create_parents_;
  std::optional<bool> sha256_;
  std::optional<bool> verify_;
  std::optional<std::uint64_t> timeout_;
  std::optional<std::uint64_t> rate_limit_;
  // options: end
};

/** A task as a poll returned it; borrowed. */
class task_view {
public:
  /** Borrows a task of C. */
  explicit task_view(const jfai_task *t) noexcept : seen_(t) {}
  /** Its id: store it to resume the task later. */
  std::string_view id() const noexcept { return detail::view(jfai_task_id(seen_)); }
  /** Its state. */
  task_status status() const noexcept { return static_cast<task_status>(jfai_task_status(seen_)); }
  /** The name of its state. */
  std::string_view status_name() const noexcept {
    return detail::view(jfai_task_status_name(jfai_task_status(seen_)));
  }
  /** The server's own spelling of the state. */
  std::string_view raw_status() const noexcept { return detail::view(jfai_task_raw_status(seen_)); }
  /** 0 to 100, where the server reports it. */
  std::optional<double> progress() const noexcept { return number(jfai_task_progress(seen_)); }
  /** The seconds of video that the server billed, where it reports it. */
  std::optional<double> billed_seconds() const noexcept { return number(jfai_task_billed_seconds(seen_)); }
  /** What the server charged for it, in its units (500,000 are 1 USD), where it reports it; 0 for a failed task. */
  std::optional<std::int64_t> charged_units() const noexcept {
    const auto units = jfai_task_charged_units(seen_);
    return units < 0 ? std::nullopt : std::optional<std::int64_t>(units);
  }
  /** True when the task was created by an earlier call with the same key: this one sent no request and cost nothing. */
  bool is_reused() const noexcept { return jfai_task_is_reused(seen_); }
  /** Where an earlier call with the same key saved the video; empty when none did. */
  std::string_view saved_path() const noexcept { return detail::view(jfai_task_saved_path(seen_)); }
  /** Where the MP4 is; empty when it is not known. */
  std::string_view video_url() const noexcept { return detail::view(jfai_task_video_url(seen_)); }
  /** Why it failed; empty when it did not. */
  std::string_view fail_reason() const noexcept { return detail::view(jfai_task_fail_reason(seen_)); }
  /** The model as the server names it. */
  std::string_view model() const noexcept { return detail::view(jfai_task_model(seen_)); }
  /** When it was accepted, where the server reports it. */
  auto created_at() const noexcept { return time(jfai_task_created_at(seen_)); }
  /** When it was started, where the server reports it. */
  auto started_at() const noexcept { return time(jfai_task_started_at(seen_)); }
  /** When it ended, where the server reports it. */
  auto finished_at() const noexcept { return time(jfai_task_finished_at(seen_)); }
  /** The server's last response, whole. */
  std::string_view raw_json() const noexcept { return detail::view(jfai_task_raw_json(seen_)); }
  /** Advice that the request did not follow, and a billed length that differs from the requested one. */
  std::vector<warning> warnings() const { return detail::warnings(jfai_task_warnings(seen_)); }
  /** The handle of C. */
  const jfai_task *get() const noexcept { return seen_; }

protected:
  /** Borrows another task of C, or none. */
  void see(const jfai_task *t) noexcept { seen_ = t; }

private:
  static std::optional<double> number(double v) noexcept {
    return v < 0 ? std::nullopt : std::optional<double>(v);
  }
  static std::optional<std::chrono::system_clock::time_point> time(std::int64_t v) noexcept {
    if (v < 0) return std::nullopt;
    return std::chrono::system_clock::time_point(std::chrono::seconds(v));
  }
  const jfai_task *seen_;
};

/** How a wait is done. What is not set has the client's value. */
class wait_options {
public:
  // Written from core/options.toml by `make options`. options: wait
  /** Timeout of the wait; `junfeiai::forever` for no limit. Default: the client's. */
  wait_options &timeout(milliseconds v) {
    timeout_ = detail::ms(v, "timeout");
    return *this;
  }
  /** Delay between polls: starts at this value, backs off to twice of it or to the client's longest delay; at least 5 000
   * except for localhost, at most 24 hours. Default: the client's. Zero is refused. Source: service document §5. */
  wait_options &poll_interval(milliseconds v) {
    poll_interval_ = detail::ms(v, "poll_interval");
    return *this;
  }
  // options: end

  /** Calls `f(const task_view &)` with every state that a poll returns; it may return false to end the call. An empty std::function is
   *  none. */
  template <class F>
  wait_options &on_progress(F f) {
    progress_.set(std::move(f));
    return *this;
  }

private:
  friend struct detail::wait_state;
  detail::progress<const task_view &> progress_;
  // Written from core/options.toml by `make options`. options: wait fields
  std::optional<std::uint64_t> timeout_;
  std::optional<std::uint64_t> poll_interval_;
  // options: end
};

/** @cond */
namespace detail {
using unhandled_function = std::function<void(const error &)>;
inline std::shared_ptr<const unhandled_function> unhandled(std::optional<unhandled_function> next = std::nullopt) {
  // To the end of the process, where a client that is static still calls its functions.
  static auto &lock = *new std::mutex;
  static auto &current = *new std::shared_ptr<const unhandled_function>;
  const std::lock_guard<std::mutex> hold(lock);
  if (next) current = *next ? std::make_shared<const unhandled_function>(std::move(*next)) : nullptr;
  return current;
}
/** Reports an exception that cannot be thrown to a caller. */
inline void tell_unhandled(const error &e) noexcept {
  JFAI_TRY {
    if (const auto f = unhandled()) (*f)(e);
    else std::fprintf(stderr, "junfeiai: %s\n", e.what());
  } JFAI_CATCH_ALL {
    // There is nothing left to report it to.
  }
}
/** Collects what completion functions throw while this thread drains a queue. */
class collector {
public:
  collector() noexcept : outer_(current()) { current() = this; }
  collector(const collector &) = delete;
  collector &operator=(const collector &) = delete;
  ~collector() {
    current() = outer_;
    for (const auto &e : thrown_) tell_unhandled(e);
  }
  /** Throws the first. */
  void raise() {
    if (thrown_.empty()) return;
    const auto first = thrown_.front();
    thrown_.erase(thrown_.begin());
    errors::raise(first);
  }
  /** Hands an error to the drain() of this thread, if there is one. */
  static void take(const error &e) noexcept {
    JFAI_TRY {
      if (current() != nullptr) current()->thrown_.push_back(e);
      else tell_unhandled(e);
    } JFAI_CATCH_ALL {
      tell_unhandled(e);
    }
  }

private:
  static collector *&current() noexcept {
    static thread_local collector *of_this_thread = nullptr;
    return of_this_thread;
  }
  collector *outer_;
  std::vector<error> thrown_;
};
} // namespace detail
/** @endcond */

/**
 * Sets the function for what a completion function throws while no drain() is running that could throw it. `f(const error &)` is
 * called on the library's thread. Default, and nullptr: one line on standard error.
 */
template <class F>
void set_unhandled(F f) {
  detail::unhandled(detail::unhandled_function(std::move(f)));
}

/**
 * Holds callbacks back until the caller's own loop drains it. Declare it, and what the completion functions use, before the client: then
 * it outlives the client, which ends its calls first. Without it the functions of calls that still run are called on the library's thread.
 */
class event_queue {
public:
  event_queue() {
    jfai_queue *out = nullptr;
    detail::done([&](jfai_error **e) { return jfai_queue_new(&out, e); });
    queue_.reset(out);
  }
  /**
   * Calls the callbacks that wait; when there are none it waits for the first up to `timeout`. Returns how many were called. When
   * completion functions throw, all are called first; then the first of the errors is thrown, and the others are unhandled.
   */
  std::size_t drain(milliseconds timeout = milliseconds(0)) const {
    std::size_t count = 0;
    detail::collector thrown;
    detail::done(
        [&](jfai_error **e) { return jfai_queue_drain(queue_.get(), detail::ms(timeout, "timeout"), &count, e); });
    thrown.raise();
    return count;
  }
  /** Sets the function that wakes the loop; it is called on the library's thread. */
  void set_wakeup(jfai_wakeup_fn wakeup, void *user) const {
    detail::done([&](jfai_error **e) { return jfai_queue_set_wakeup(queue_.get(), wakeup, user, e); });
  }
  /** The handle of C. */
  const jfai_queue *get() const noexcept { return queue_.get(); }

private:
  detail::handle<jfai_queue, jfai_queue_free> queue_;
};

/** @cond */
namespace detail {

/** Why a queue is refused, if it is: as NULL a moved-from one would mean the library's thread. */
inline std::optional<error> refused(const event_queue *q, const std::optional<std::string> &task_id = std::nullopt) {
  if (q != nullptr && q->get() == nullptr) return errors::argument("queue is a moved-from event_queue", task_id);
  return std::nullopt;
}
inline const jfai_queue *raw(const event_queue *q) { return q != nullptr ? q->get() : nullptr; }

using c_wait_options = handle<jfai_wait_options, jfai_wait_options_free>;
using c_save_options = handle<jfai_save_options, jfai_save_options_free>;

/** What C needs of the options while a call runs: `keep` lives as long as the call. */
struct wait_state {
  wait_options options;
  std::exception_ptr thrown;
  std::optional<std::string> about{};
  static int notify(void *user, const jfai_task *t) {
    auto *self = static_cast<wait_state *>(user);
    return self->options.progress_.tell(task_view(t), self->thrown);
  }
  c_wait_options c() {
    jfai_wait_options *out = nullptr;
    done([&](jfai_error **e) { return jfai_wait_options_new(&out, e); });
    c_wait_options o(out);
    // Written from core/options.toml by `make options`. options: wait to C
    if (options.timeout_)
      done([&](jfai_error **e) { return jfai_wait_options_set_timeout_ms(out, *options.timeout_, e); });
    if (options.poll_interval_)
      done([&](jfai_error **e) { return jfai_wait_options_set_poll_interval_ms(out, *options.poll_interval_, e); });
    // options: end
    if (options.progress_) done([&](jfai_error **e) { return jfai_wait_options_set_progress(out, &notify, this, e); });
    return o;
  }
};

struct save_state {
  save_options options;
  std::exception_ptr thrown;
  std::optional<std::string> about{}; // the task, which a summary does not name
  static int notify(void *user, std::uint64_t bytes, std::uint64_t total, double rate) {
    auto *self = static_cast<save_state *>(user);
    return self->options.progress_.tell(save_progress{bytes, total, rate}, self->thrown);
  }
  c_save_options c() {
    jfai_save_options *out = nullptr;
    done([&](jfai_error **e) { return jfai_save_options_new(&out, e); });
    c_save_options o(out);
    // Written from core/options.toml by `make options`. options: save to C
    if (options.connections_)
      done([&](jfai_error **e) { return jfai_save_options_set_connections(out, *options.connections_, e); });
    if (options.overwrite_)
      done([&](jfai_error **e) { return jfai_save_options_set_overwrite(out, *options.overwrite_, e); });
    if (options.create_parents_)
      done([&](jfai_error **e) { return jfai_save_options_set_create_parents(out, *options.create_parents_, e); });
    if (options.sha256_)
      done([&](jfai_error **e) { return jfai_save_options_set_sha256(out, *options.sha256_, e); });
    if (options.verify_)
      done([&](jfai_error **e) { return jfai_save_options_set_verify(out, *options.verify_, e); });
    if (options.timeout_)
      done([&](jfai_error **e) { return jfai_save_options_set_timeout_ms(out, *options.timeout_, e); });
    if (options.rate_limit_)
      done([&](jfai_error **e) { return jfai_save_options_set_rate_limit(out, *options.rate_limit_, e); });
    // options: end
    if (options.progress_) done([&](jfai_error **e) { return jfai_save_options_set_progress(out, &notify, this, e); });
    return o;
  }
};

struct no_state {
  std::exception_ptr thrown;
  std::optional<std::string> about{};
};

template <class T, class = void>
struct has_task_id : std::false_type {};
template <class T>
struct has_task_id<T, std::void_t<decltype(std::declval<const T &>().task_id())>> : std::true_type {};
template <class T, class = void>
struct has_id : std::false_type {};
template <class T>
struct has_id<T, std::void_t<decltype(std::declval<const T &>().id())>> : std::true_type {};

/** The task that the end of a call is about. */
template <class T>
std::optional<std::string> id_of(result<T> &r) {
  if (!r) return r.error().task_id();
  if constexpr (has_task_id<T>::value) return std::string(r.value().task_id());
  else if constexpr (has_id<T>::value) return std::string(r.value().id());
  else return std::nullopt;
}

/** The end of a call, with what its progress function threw. */
template <class T, class State>
result<T> ended(result<T> r, const State &state) {
  if (!state.thrown) return r;
  const auto id = id_of(r);
  const auto e = r ? errors::stopped("the call was at its end", id ? id : state.about) : r.error();
  return errors::caused_by(e, "progress", state.thrown);
}

/** An asynchronous call: lives from its start to its callback, which is called once. */
template <class T, class Raw, class State>
struct op {
  State state;
  std::function<void(result<T>)> f;
  // C stands between here and whoever could catch what is thrown.
  static void end(void *user, Raw *value, jfai_error *e) noexcept {
    std::unique_ptr<op> self(static_cast<op *>(user));
    std::optional<std::string> id = self->state.about;
    std::optional<error> failed;
    JFAI_TRY {
      auto r = ended(e != nullptr ? result<T>(error(e)) : result<T>(T(value)), self->state);
      if (auto known = id_of(r)) id = std::move(known);
      if (!r) failed = r.error();
      self->f(std::move(r));
    } JFAI_CATCH_ALL {
      // How the call itself failed stays said: a create request may have been carried out.
      const auto thrown = std::current_exception();
      collector::take(errors::caused_by(failed ? *failed : errors::stopped("the call has ended", id), "completion", thrown));
    }
  }
};

/** Starts a call, unless an argument was refused before. Without exceptions its function is called with why it did not start. */
template <class T, class Raw, class State, class Start>
void start(State state, std::optional<error> bad, Start &&begin, std::function<void(result<T>)> f) {
  auto o = std::make_unique<op<T, Raw, State>>();
  o->state = std::move(state);
  o->f = std::move(f);
  if (!bad) {
    jfai_error *e = nullptr;
    if (begin(*o, &op<T, Raw, State>::end, static_cast<void *>(o.get()), &e) == JFAI_OK) {
      o.release(); // NOLINT: its end() frees it
      return;
    }
    bad = error(e);
  }
#if JFAI_EXCEPTIONS
  errors::raise(*bad);
#else
  o->f(std::move(*bad));
#endif
}

/** A function that fulfils a promise. */
template <class T>
std::pair<std::future<T>, std::function<void(result<T>)>> promise() {
  auto p = std::make_shared<std::promise<T>>();
  auto future = p->get_future();
  return {std::move(future), [p](result<T> r) {
            JFAI_TRY {
              p->set_value(std::move(r).value());
            } JFAI_CATCH_ALL {
              p->set_exception(std::current_exception());
            }
          }};
}

/** A function of the caller, which need not be one that can be copied. */
template <class T, class F>
std::function<void(result<T>)> plain(F f) {
  if (is_none(f)) errors::raise(errors::argument("the completion function is empty; nothing was sent"));
  auto shared = std::make_shared<F>(std::move(f));
  return [shared](result<T> r) { (*shared)(std::move(r)); };
}

} // namespace detail
/** @endcond */

/** A video to read and seek in, without a file. For one thread at a time. */
class reader {
public:
  /** Takes over a reader of C. */
  explicit reader(jfai_reader *r) noexcept : reader_(r) {}
  /** Reads up to `size` bytes and moves on; fewer at the end of the file and before an error, which the next call gives; 0 only at the
   *  end. */
  result<std::size_t> try_read(void *buffer, std::size_t size) {
    std::size_t got = 0;
    jfai_error *e = nullptr;
    if (jfai_reader_read(reader_.get(), static_cast<std::uint8_t *>(buffer), size, &got, &e) != JFAI_OK) return error(e);
    return got;
  }
  /** try_read() that throws. */
  std::size_t read(void *buffer, std::size_t size) { return try_read(buffer, size).value(); }
  /** Moves to another place; `whence` is JFAI_SEEK_SET, JFAI_SEEK_CUR or JFAI_SEEK_END. */
  result<std::uint64_t> try_seek(std::int64_t offset, int whence = JFAI_SEEK_SET) {
    std::uint64_t place = 0;
    jfai_error *e = nullptr;
    if (jfai_reader_seek(reader_.get(), offset, whence, &place, &e) != JFAI_OK) return error(e);
    return place;
  }
  /** try_seek() that throws. */
  std::uint64_t seek(std::int64_t offset, int whence = JFAI_SEEK_SET) { return try_seek(offset, whence).value(); }
  /** The length of the file in bytes. */
  std::uint64_t size() {
    std::uint64_t size = 0;
    detail::done([&](jfai_error **e) { return jfai_reader_size(reader_.get(), &size, e); });
    return size;
  }
  /** Where the next read begins. */
  std::uint64_t position() const noexcept { return jfai_reader_position(reader_.get()); }
  /** The handle of C. */
  jfai_reader *get() const noexcept { return reader_.get(); }

private:
  detail::handle<jfai_reader, jfai_reader_free> reader_;
};

/** The buffer of a video_stream. */
class video_streambuf : public std::streambuf {
public:
  /** Reads from this reader. */
  explicit video_streambuf(reader r) : reader_(std::move(r)) {}
  /** It stays where it is: its base points into it, and a copy of that would point into the old one. */
  video_streambuf(const video_streambuf &) = delete;
  video_streambuf &operator=(const video_streambuf &) = delete;
  /** The error behind a stream's badbit. */
  const std::optional<error> &failure() const noexcept { return failure_; }

protected:
  /** Brings the next bytes. An error is thrown, which makes an istream bad. */
  int_type underflow() override {
    if (gptr() < egptr()) return traits_type::to_int_type(*gptr());
    auto got = reader_.try_read(buffer_.data(), buffer_.size());
    if (!got) {
      failure_ = got.error();
      detail::errors::raise(got.error());
    }
    setg(buffer_.data(), buffer_.data(), buffer_.data() + *got);
    return *got == 0 ? traits_type::eof() : traits_type::to_int_type(*gptr());
  }
  /** Moves to another place. */
  pos_type seekoff(off_type by, std::ios_base::seekdir way, std::ios_base::openmode) override {
    // The reader is ahead of the stream by what the buffer still holds.
    if (way == std::ios_base::cur) by -= egptr() - gptr();
    auto place = reader_.try_seek(by, way == std::ios_base::beg   ? JFAI_SEEK_SET
                                      : way == std::ios_base::cur ? JFAI_SEEK_CUR
                                                                  : JFAI_SEEK_END);
    if (!place) {
      failure_ = place.error();
      return pos_type(off_type(-1));
    }
    setg(buffer_.data(), buffer_.data(), buffer_.data());
    return pos_type(static_cast<off_type>(*place));
  }
  /** Moves to another place. */
  pos_type seekpos(pos_type to, std::ios_base::openmode which) override {
    return seekoff(off_type(to), std::ios_base::beg, which);
  }

private:
  reader reader_;
  std::array<char, 32768> buffer_{};
  std::optional<error> failure_;
};

/** A video as a std::istream that can seek: `junfeiai::video_stream in(video.open());` */
class video_stream : public std::istream {
public:
  /** Reads from this reader. */
  explicit video_stream(reader r) : std::istream(nullptr), buffer_(std::move(r)) { init(&buffer_); }
  /** The error behind a badbit. */
  const std::optional<error> &failure() const noexcept { return buffer_.failure(); }

private:
  video_streambuf buffer_;
};

/** A video of the service that is done. Result links expire after about a day: save it soon. */
class video {
public:
  /** Takes over a video of C. */
  explicit video(jfai_video *v) noexcept : video_(v) {}
  /** The id of the task that made it; empty when it is not known. */
  std::string_view task_id() const noexcept { return detail::view(jfai_video_task_id(video_.get())); }
  /** Its URL; empty when it is not known yet. */
  std::string_view url() const noexcept { return detail::view(jfai_video_url(video_.get())); }
  /** Where an earlier call with the same key saved it; empty when none did. */
  std::string_view saved_path() const noexcept { return detail::view(jfai_video_saved_path(video_.get())); }
  /** A file name made from the task's id. */
  std::string_view file_name() const noexcept { return detail::view(jfai_video_file_name(video_.get())); }

  /** Saves it as a file; the final name appears only after the download is complete and verified. */
  result<summary> try_save(const std::filesystem::path &file, save_options options = {},
                           const cancel_token *cancel = nullptr) const {
    detail::save_state state{std::move(options), nullptr, id()};
    auto c = state.c();
    return detail::ended(detail::made<summary, jfai_summary>(refused(file, cancel), [&](jfai_summary **out, jfai_error **e) {
                           return jfai_save(video_.get(), detail::path(file, "file").c_str(), c.get(),
                                            detail::raw(cancel), out, e);
                         }),
                         state);
  }
  /** try_save() that throws. */
  summary save(const std::filesystem::path &file, save_options options = {},
               const cancel_token *cancel = nullptr) const {
    return try_save(file, std::move(options), cancel).value();
  }
  /** save() without blocking: `f(result<summary>)` is called on the library's thread, or where `queue` is drained. */
  template <class F, class = std::enable_if_t<std::is_invocable_v<F &, result<summary>>>>
  void save_async(const std::filesystem::path &file, save_options options, F f, const cancel_token *cancel = nullptr,
                  const event_queue *queue = nullptr) const {
    save_with(file, std::move(options), detail::plain<summary>(std::move(f)), cancel, queue);
  }
  /** save() without blocking. */
  [[nodiscard]] std::future<summary> save_async(const std::filesystem::path &file, save_options options = {},
                                  const cancel_token *cancel = nullptr) const {
    auto [future, f] = detail::promise<summary>();
    save_with(file, std::move(options), std::move(f), cancel, nullptr);
    return std::move(future);
  }

  /** Up to `size` bytes from `offset` on; fewer only at the end of the file. */
  result<std::vector<std::uint8_t>> try_read_range(std::uint64_t offset, std::size_t size,
                                                   const cancel_token *cancel = nullptr) const {
    if (const auto bad = detail::refused(cancel, id())) return *bad;
    std::vector<std::uint8_t> room;
    JFAI_TRY {
      room.resize(size);
    } JFAI_CATCH_ALL {
      return detail::errors::argument("size is " + std::to_string(size) + ": there is no memory for so many bytes", id());
    }
    std::size_t got = 0;
    jfai_error *e = nullptr;
    if (jfai_video_read_range(video_.get(), offset, room.data(), size, detail::raw(cancel), &got, &e) != JFAI_OK)
      return error(e);
    room.resize(got);
    return room;
  }
  /** try_read_range() that throws. */
  std::vector<std::uint8_t> read_range(std::uint64_t offset, std::size_t size,
                                       const cancel_token *cancel = nullptr) const {
    return try_read_range(offset, size, cancel).value();
  }
  /** Opens it to read and seek in. `cancel` ends every later call of the reader, too. */
  result<reader> try_open(const cancel_token *cancel = nullptr) const {
    return detail::made<reader, jfai_reader>(detail::refused(cancel, id()), [&](jfai_reader **out, jfai_error **e) {
      return jfai_reader_open(video_.get(), detail::raw(cancel), out, e);
    });
  }
  /** try_open() that throws. */
  [[nodiscard]] reader open(const cancel_token *cancel = nullptr) const { return try_open(cancel).value(); }
  /** The whole video in memory, checked; at most `max_size` bytes (0: 1 GiB). */
  result<std::vector<std::uint8_t>> try_bytes(std::size_t max_size = 0, const cancel_token *cancel = nullptr) const {
    if (const auto bad = detail::refused(cancel, id())) return *bad;
    jfai_bytes *out = nullptr;
    jfai_error *e = nullptr;
    if (jfai_video_bytes(video_.get(), max_size, detail::raw(cancel), &out, &e) != JFAI_OK) return error(e);
    detail::handle<jfai_bytes, jfai_bytes_free> keep(out);
    const auto *data = jfai_bytes_data(out);
    return std::vector<std::uint8_t>(data, data + jfai_bytes_size(out));
  }
  /** try_bytes() that throws. */
  std::vector<std::uint8_t> bytes(std::size_t max_size = 0, const cancel_token *cancel = nullptr) const {
    return try_bytes(max_size, cancel).value();
  }
  /** The handle of C. */
  const jfai_video *get() const noexcept { return video_.get(); }

private:
  std::optional<std::string> id() const { return detail::maybe(jfai_video_task_id(video_.get())); }
  std::optional<error> refused(const std::filesystem::path &file, const cancel_token *cancel) const {
    return detail::either(detail::refused(file, "file", id()), detail::refused(cancel, id()));
  }
  void save_with(const std::filesystem::path &file, save_options options,
                 std::function<void(result<summary>)> f, const cancel_token *cancel,
                 const event_queue *queue) const {
    detail::start<summary, jfai_summary>(
        detail::save_state{std::move(options), nullptr, id()}, detail::either(refused(file, cancel), detail::refused(queue, id())),
        [&](auto &o, auto end, void *user, jfai_error **e) {
          auto c = o.state.c();
          return jfai_save_async(video_.get(), detail::path(file, "file").c_str(), c.get(), detail::raw(cancel),
                                 detail::raw(queue), end, user, e);
        },
        std::move(f));
  }
  detail::handle<jfai_video, jfai_video_free> video_;
};

/** A durable wait after one of its steps: the state to store, or the video. */
class wait_step {
public:
  /** Takes over a step of C. */
  explicit wait_step(jfai_wait_step *s) noexcept : step_(s) {}
  /** True when the task succeeded: video() is there. */
  bool done() const noexcept { return jfai_wait_step_done(step_.get()); }
  /** The state to store, as one line of JSON; empty when the wait has ended. */
  std::string state() const { return detail::text(jfai_wait_step_state(step_.get())); }
  /** How long to pause before the next advance(); zero when the wait has ended. Sooner is no error: then nothing is sent. */
  milliseconds retry_after() const noexcept {
    const auto ms = jfai_wait_step_retry_after_ms(step_.get());
    return milliseconds(ms < 0 ? 0 : ms);
  }
  /** The task's id. */
  std::string_view task_id() const noexcept { return detail::view(jfai_wait_step_task_id(step_.get())); }
  /** The video; fails with JFAI_ERR_NOT_READY while the task is still running. */
  result<junfeiai::video> try_video() const {
    return detail::made<junfeiai::video, jfai_video>(
        [&](jfai_video **out, jfai_error **e) { return jfai_wait_step_video(step_.get(), out, e); });
  }
  /** try_video() that throws. */
  junfeiai::video video() const { return try_video().value(); }

private:
  detail::handle<jfai_wait_step, jfai_wait_step_free> step_;
};

/** A task as it was last seen. */
class task : public task_view {
public:
  /** Takes over a task of C. */
  explicit task(jfai_task *t) noexcept : task_view(t), task_(t) {}
  /** Takes over the task of another object, which is empty then. */
  task(task &&other) noexcept : task_view(other), task_(std::move(other.task_)) { other.see(nullptr); }
  /** Takes over the task of another object, which is empty then. */
  task &operator=(task &&other) noexcept {
    if (this != &other) {
      task_ = std::move(other.task_);
      see(task_.get());
      other.see(nullptr);
    }
    return *this;
  }
  /** A second handle, to keep what a progress function was called with. */
  static task copy_of(const task_view &seen) {
    return detail::made<task, jfai_task>(
               [&](jfai_task **out, jfai_error **e) { return jfai_task_clone(seen.get(), out, e); })
        .value();
  }
  /** Queries the state again. */
  result<task> try_refresh(const cancel_token *cancel = nullptr) const {
    return detail::made<task, jfai_task>(detail::refused(cancel, known()), [&](jfai_task **out, jfai_error **e) {
      return jfai_task_refresh(get(), detail::raw(cancel), out, e);
    });
  }
  /** try_refresh() that throws. */
  task refresh(const cancel_token *cancel = nullptr) const { return try_refresh(cancel).value(); }

  /** Waits for the end of the task and returns its video. */
  result<junfeiai::video> try_wait(wait_options options = {}, const cancel_token *cancel = nullptr) const {
    detail::wait_state state{std::move(options), nullptr};
    auto c = state.c();
    return detail::ended(detail::made<junfeiai::video, jfai_video>(detail::refused(cancel, known()), [&](jfai_video **out, jfai_error **e) {
                           return jfai_wait(get(), c.get(), detail::raw(cancel), out, e);
                         }),
                         state);
  }
  /** try_wait() that throws. */
  junfeiai::video wait(wait_options options = {}, const cancel_token *cancel = nullptr) const {
    return try_wait(std::move(options), cancel).value();
  }
  /** wait() without blocking: `f(result<junfeiai::video>)` is called on the library's thread, or where `queue` is drained. */
  template <class F, class = std::enable_if_t<std::is_invocable_v<F &, result<junfeiai::video>>>>
  void wait_async(wait_options options, F f, const cancel_token *cancel = nullptr,
                  const event_queue *queue = nullptr) const {
    wait_with(std::move(options), detail::plain<junfeiai::video>(std::move(f)), cancel, queue);
  }
  /** wait() without blocking. */
  [[nodiscard]] std::future<junfeiai::video> wait_async(wait_options options = {}, const cancel_token *cancel = nullptr) const {
    auto [future, f] = detail::promise<junfeiai::video>();
    wait_with(std::move(options), std::move(f), cancel, nullptr);
    return std::move(future);
  }
  /**
   * Begins a durable wait, for client::advance(): its state can be stored, and continued by any process. Sends nothing; the timeout
   * counts from now.
   */
  [[nodiscard]] wait_step wait_state(wait_options options = {}) const {
    detail::wait_state state{std::move(options), nullptr};
    auto c = state.c();
    return detail::made<wait_step, jfai_wait_step>([&](jfai_wait_step **out, jfai_error **e) {
             return jfai_task_wait_state(get(), c.get(), out, e);
           })
        .value();
  }
  /** Calls `f(const task &)` with the states as they come, until the last one; `f` may return false to end it. */
  template <class F>
  void watch(F f, wait_options options = {}, const cancel_token *cancel = nullptr) const {
    detail::wait_state state{std::move(options), nullptr};
    auto c = state.c();
    jfai_watch *raw = nullptr;
    detail::done([&](jfai_error **e) { return jfai_watch_new(get(), c.get(), &raw, e); });
    detail::handle<jfai_watch, jfai_watch_free> keep(raw);
    for (;;) {
      jfai_task *next = nullptr;
      detail::done([&](jfai_error **e) { return jfai_watch_next(raw, detail::raw(cancel), &next, e); });
      if (next == nullptr) return;
      const task seen(next);
      JFAI_TRY {
        if constexpr (std::is_void_v<std::invoke_result_t<F &, const task &>>) f(seen);
        else if (!f(seen)) return;
      } JFAI_CATCH_ALL {
        const auto e = detail::errors::stopped("the watch was ended", std::string(seen.id()));
        detail::errors::raise(detail::errors::caused_by(e, "progress", std::current_exception()));
      }
    }
  }
  /** Its video, when the last seen state says that there is one. */
  result<junfeiai::video> try_video() const {
    return detail::made<junfeiai::video, jfai_video>(
        [&](jfai_video **out, jfai_error **e) { return jfai_task_video(get(), out, e); });
  }
  /** try_video() that throws. */
  junfeiai::video video() const { return try_video().value(); }

private:
  std::optional<std::string> known() const { return detail::maybe(jfai_task_id(get())); }
  void wait_with(wait_options options, std::function<void(result<junfeiai::video>)> f,
                 const cancel_token *cancel, const event_queue *queue) const {
    detail::start<junfeiai::video, jfai_video>(
        detail::wait_state{std::move(options), nullptr}, detail::either(detail::refused(cancel, known()), detail::refused(queue, known())),
        [&](auto &o, auto end, void *user, jfai_error **e) {
          auto c = o.state.c();
          return jfai_wait_async(get(), c.get(), detail::raw(cancel), detail::raw(queue), end, user, e);
        },
        std::move(f));
  }
  detail::handle<jfai_task, jfai_task_free> task_;
};

/** The options of a client. Setters return the options, to be chained. */
class client_options {
public:
  /** Options that are all at their defaults. Fails when the loaded library does not fit this header. */
  client_options() {
    detail::done([](jfai_error **e) { return jfai_version_check(JFAI_VERSION, e); });
    jfai_client_options *out = nullptr;
    detail::done([&](jfai_error **e) { return jfai_client_options_new(&out, e); });
    options_.reset(out);
    set(jfai_client_options_set_sdk_name, "sdk_name", "c++");
  }
  /** Fills what is not set from the environment, when the client is made. */
  client_options &use_env() {
    detail::done([&](jfai_error **e) { return jfai_client_options_use_env(options_.get(), e); });
    return *this;
  }
  /** Adds an endpoint after those that are set; it is used only when no connection can be made to those before it. */
  client_options &add_endpoint(text_view v) { return set(jfai_client_options_add_endpoint, "add_endpoint", v); }
  /** Sets a further header of every request; call it again for more. A name that was set before, in whatever case, gets this value.
   *  Headers are sent only to hosts that may receive the key, and their values are never shown. Default: none. */
  client_options &header(text_view name, text_view value) {
    const auto n = detail::c_text(name, "header: name"), v = detail::c_text(value, "header: value");
    detail::done([&](jfai_error **e) { return jfai_client_options_set_header(options_.get(), n.c_str(), v.c_str(), e); });
    return *this;
  }
  /** Adds a host that the key may be sent to, as host or host:port. */
  client_options &trust_host(text_view v) { return set(jfai_client_options_trust_host, "trust_host", v); }
  /** Sets the delays between attempts: the first, the longest, and the time from the first attempt to the start of the last. */
  client_options &retry_pauses(milliseconds first, milliseconds longest, milliseconds budget) {
    detail::done([&](jfai_error **e) {
      return jfai_client_options_set_retry_pauses_ms(options_.get(), detail::ms(first, "retry_pauses: first"),
                                                     detail::ms(longest, "retry_pauses: longest"), detail::ms(budget, "retry_pauses: budget"), e);
    });
    return *this;
  }
  /** Sets the rate limit that all tasks and threads of the client share: requests per second, and the burst. */
  client_options &request_rate(double per_second, std::uint32_t burst) {
    detail::done([&](jfai_error **e) { return jfai_client_options_set_request_rate(options_.get(), per_second, burst, e); });
    return *this;
  }
  /** Sets the most that one create request may cost, in USD: one that would cost more is refused before it is sent. */
  client_options &max_cost(double usd) {
    detail::done([&](jfai_error **e) { return jfai_client_options_set_max_cost(options_.get(), usd, e); });
    return *this;
  }
  /** Sets the most that all create requests of one UTC day may cost together, in USD, of all clients that share the journal: one
   *  that would exceed it is refused before it is sent. Needs a journal. */
  client_options &budget(double usd) {
    detail::done([&](jfai_error **e) { return jfai_client_options_set_budget(options_.get(), usd, e); });
    return *this;
  }
  // Written from core/options.toml by `make options`. options: client
  /** The API key; optional when your reverse proxy adds it. Default: none. */
  client_options &api_key(text_view v) { return set(jfai_client_options_set_api_key, "api_key", v); }
  /** The endpoint: `"standard"`, `"china"`, a base URL ending in `/v1`, or a short host alias. Default: `"standard"`.
   * Source: service document §1. */
  client_options &endpoint(text_view v) { return set(jfai_client_options_set_endpoint, "endpoint", v); }
  /** A custom domain in place of the documented video host, as scheme and host. Default: none. Source: service document §1. */
  client_options &video_base_url(text_view v) { return set(jfai_client_options_set_video_base_url, "video_base_url", v); }
  /** Timeout of one query. Default: 30 000. Zero is refused. */
  client_options &timeout(milliseconds v) { return value(jfai_client_options_set_timeout_ms, detail::ms(v, "timeout")); }
  /** Timeout of a create request: the service can take minutes, and after the timeout the task may still be created and
   * charged. Default: 180 000. Zero is refused. */
  client_options &create_timeout(milliseconds v) { return value(jfai_client_options_set_create_timeout_ms, detail::ms(v, "create_timeout")); }
  /** Timeout of connecting; at most 5 000 with several endpoints. Default: 10 000. Zero is refused. */
  client_options &connect_timeout(milliseconds v) { return value(jfai_client_options_set_connect_timeout_ms, detail::ms(v, "connect_timeout")); }
  /** Maximum time without data during a download. Default: 30 000. Zero is refused. */
  client_options &idle_timeout(milliseconds v) { return value(jfai_client_options_set_idle_timeout_ms, detail::ms(v, "idle_timeout")); }
  /** Delay between polls: starts at this value, backs off to 10 000 or twice the value, whichever is less; at least 5 000
   * except for localhost, at most 24 hours. Default: 5 000. Zero is refused. Source: service document §5. */
  client_options &poll_interval(milliseconds v) { return value(jfai_client_options_set_poll_interval_ms, detail::ms(v, "poll_interval")); }
  /** Timeout of one wait for a task; `junfeiai::forever` for no limit. Default: 1 800 000. */
  client_options &wait_timeout(milliseconds v) { return value(jfai_client_options_set_wait_timeout_ms, detail::ms(v, "wait_timeout")); }
  /** Attempts of one call, the first included. A create request is sent again only when it provably was not accepted.
   * Default: 4. 0 is refused. */
  client_options &max_attempts(std::uint32_t v) { return value(jfai_client_options_set_max_attempts, v); }
  /** Polls that may fail in a row before a wait ends with an error. Default: 20. */
  client_options &max_poll_errors(std::uint32_t v) { return value(jfai_client_options_set_max_poll_errors, v); }
  /** Concurrent create requests; the others wait. Default: 4. 0 is refused. */
  client_options &max_in_flight_creates(std::uint32_t v) { return value(jfai_client_options_set_max_in_flight_creates, v); }
  /** Refuses a create request as well if its cost may exceed `max_cost` or `budget`: the server hides its prices, or the
   * key's group is not known and another group would pay more. Otherwise an unknown price is a warning. Default: `false`. */
  client_options &max_cost_strict(bool v) { return value(jfai_client_options_set_max_cost_strict, v); }
  /** `Accept-Language`, which decides the language of the server's messages, such as `en` or `zh-CN`. Default: the server's. */
  client_options &language(text_view v) { return set(jfai_client_options_set_language, "language", v); }
  /** Your program's name, such as `my-app/1.2`, added to the `User-Agent`. Default: none. */
  client_options &user_agent(text_view v) { return set(jfai_client_options_set_user_agent, "user_agent", v); }
  /** A file that records paid tasks, so that a later process can resume them; several processes of a machine may share it.
   * For several machines the address of a database: `"postgresql://…"`, `"redis://…"`, `"valkey://…"`. Default: none. */
  client_options &journal(const std::filesystem::path &v) { return set(jfai_client_options_set_journal, "journal", detail::path(v, "journal")); }
  /** Keeps prompts in the journal instead of the SHA-256 of the request. Default: `false`. */
  client_options &journal_prompts(bool v) { return value(jfai_client_options_set_journal_prompts, v); }
  /** A proxy instead of the one in `HTTP_PROXY`, `HTTPS_PROXY` or `ALL_PROXY`; `""` for no proxy. Default: the system's. */
  client_options &proxy(text_view v) { return set(jfai_client_options_set_proxy, "proxy", v); }
  /** Further root certificates as a PEM file, besides the system's and `SSL_CERT_FILE`. Default: none. */
  client_options &ca_file(const std::filesystem::path &v) { return set(jfai_client_options_set_ca_file, "ca_file", detail::path(v, "ca_file")); }
  /** The client name in the `User-Agent`. Default: `"c"`. */
  client_options &sdk_name(text_view v) { return set(jfai_client_options_set_sdk_name, "sdk_name", v); }
  // options: end
  /** The handle of C. */
  const jfai_client_options *get() const noexcept { return options_.get(); }

private:
  template <class F>
  client_options &set(F f, const char *name, text_view v) {
    detail::done([&](jfai_error **e) { return f(options_.get(), detail::c_text(v, name).c_str(), e); });
    return *this;
  }
  template <class F, class V>
  client_options &value(F f, V v) {
    detail::done([&](jfai_error **e) { return f(options_.get(), v, e); });
    return *this;
  }
  detail::handle<jfai_client_options, jfai_client_options_free> options_;
};

/** What a check found. */
struct report {
  bool ok = false;  ///< True when tasks can be created, as far as can be known.
  std::string text; ///< As text, in several lines.
  std::string json; ///< The same as one JSON object.
};

/** The balance of a key. */
struct balance {
  std::optional<double> available_usd;                              ///< The remaining balance, unless the key has no limit.
  double used_usd = 0;                                              ///< What was spent.
  bool unlimited = false;                                           ///< The key itself has no limit.
  std::optional<std::chrono::system_clock::time_point> expires_at;  ///< When the key expires.
  std::optional<std::string> name;                                  ///< The key's name at the server.
};

/** What a create request will cost. */
struct estimate {
  std::optional<std::int64_t> units;         ///< The charge in the server's units (500000 = 1 USD), where it is known.
  std::optional<double> usd;                 ///< The same in USD.
  std::string certainty;                     ///< How sure it is: "exact", "rounded", "default_group", "last_charge", "unknown".
  std::optional<std::int64_t> units_at_most; ///< The most by the listed prices, whatever the key's group.
  std::uint64_t billed_seconds = 0;          ///< The seconds that the server will bill.
  std::string json;                          ///< All of it as one JSON object, with notes.
};

/** The state of an unfinished item of a journal. */
enum class pending_state : std::int32_t {
  created = JFAI_PENDING_CREATED,     ///< A task that was created; its end was not seen.
  succeeded = JFAI_PENDING_SUCCEEDED, ///< A task that has a video, which was not saved.
  unknown = JFAI_PENDING_UNKNOWN      ///< A create request without a response.
};

/** A task or create request that is, or may be, paid for and is unfinished. */
struct pending {
  pending_state state = pending_state::created;             ///< Its state.
  std::optional<std::string> task_id;                       ///< The task; none when the outcome is unknown.
  std::optional<std::string> intent;                        ///< For client::resolve_unknown().
  std::string model;                                        ///< The requested model.
  std::optional<std::string> seconds;                       ///< The requested length.
  std::optional<std::string> reason;                        ///< Why the outcome is unknown.
  std::optional<std::string> fingerprint;                   ///< The SHA-256 of the request.
  std::optional<std::string> prompt;                        ///< Where the client has journal_prompts set.
  std::optional<std::string> key;                           ///< The key under which it was created.
  std::chrono::system_clock::time_point created_at{};       ///< When it began.
};

/** What became of a create request whose outcome was unknown. */
enum class verdict : std::int32_t {
  charged = JFAI_VERDICT_CHARGED,         ///< A task was made and charged.
  not_charged = JFAI_VERDICT_NOT_CHARGED, ///< It is off the list, and may be created again under its key.
  under_way = JFAI_VERDICT_UNDER_WAY,     ///< Ask again later.
  not_known = JFAI_VERDICT_NOT_KNOWN      ///< Neither can be proved.
};

/** A create request whose outcome was unknown, and what became of it. */
struct settled {
  junfeiai::verdict verdict = junfeiai::verdict::not_known; ///< What became of it.
  std::string reason;                                 ///< Why, in one sentence.
  std::string intent;                                 ///< For client::resolve_unknown().
  std::optional<std::string> key;                     ///< The key under which it was sent.
  std::string model;                                  ///< The requested model.
  std::optional<std::string> seconds;                 ///< The requested length.
  std::optional<std::string> task_id;                 ///< The task, where it is known: it is pending now.
  std::optional<std::string> request_id;              ///< The server's id of the request, where it is known.
  std::optional<std::int64_t> charged_units;          ///< What it was charged (500000 = 1 USD), where that is known.
  std::chrono::system_clock::time_point created_at{}; ///< When it began.
};

/** The result of client::reconcile(). */
struct reconciliation {
  std::vector<settled> entries;                          ///< The create requests whose outcome was unknown, oldest first.
  std::optional<std::chrono::milliseconds> retry_after;  ///< The server answers no more such questions for so long.
};

/** How far the task of a key is. */
enum class key_state : std::int32_t {
  sending = JFAI_KEY_SENDING,     ///< Its create request is being sent, here or elsewhere.
  unknown = JFAI_KEY_UNKNOWN,     ///< Its create request was sent and the outcome is unknown.
  created = JFAI_KEY_CREATED,     ///< It was created; its end was not seen.
  succeeded = JFAI_KEY_SUCCEEDED, ///< It has a video, which was not saved.
  failed = JFAI_KEY_FAILED,       ///< It failed; the service returns the charge.
  saved = JFAI_KEY_SAVED,         ///< Its video was saved.
  forgotten = JFAI_KEY_FORGOTTEN  ///< It was removed from the list.
};

/** What the journal knows of a key. */
struct key_record {
  key_state state = key_state::created;               ///< How far its task is.
  std::uint32_t attempt = 1;                          ///< One more for each task that was created after a failed one.
  std::optional<std::string> task_id;                 ///< The task, once there is one.
  std::string intent;                                 ///< For client::resolve_unknown().
  std::optional<std::filesystem::path> path;          ///< Where it was saved, or is about to be.
  std::chrono::system_clock::time_point created_at{}; ///< When the create request began.
};

/** How one of many ended. */
struct batch_result {
  std::size_t index = 0;                 ///< The index of the id or request that was given.
  std::optional<std::string> task_id;    ///< None when no task was created.
  bool ok = false;                       ///< True when there is a video or a file.
  std::string message;                   ///< What went wrong, as text.
  jfai_status status = JFAI_OK;          ///< What went wrong, as a number.
  std::optional<junfeiai::error> error;  ///< What went wrong, with all that is known.
  /** The handle of C, with its video, file or error. */
  detail::handle<jfai_result, jfai_result_free> result;
  /** Saves its video; where it has none, throws what went wrong. */
  summary save(const std::filesystem::path &file, save_options options = {}, const cancel_token *cancel = nullptr) const {
    const auto id = detail::maybe(jfai_result_task_id(result.get()));
    if (jfai_result_video(result.get()) == nullptr)
      detail::errors::raise(error ? *error : detail::errors::argument("this batch_result has no video to save", id));
    const auto bad = detail::either(detail::refused(file, "file", id), detail::refused(cancel, id));
    detail::save_state state{std::move(options), nullptr, id};
    auto c = state.c();
    return detail::ended(detail::made<summary, jfai_summary>(bad, [&](jfai_summary **out, jfai_error **e) {
                           return jfai_save(jfai_result_video(result.get()), detail::path(file, "file").c_str(), c.get(),
                                            detail::raw(cancel), out, e);
                         }),
                         state)
        .value();
  }
};

/**
 * Many tasks that are waited for or created. Destroying it stops at once: no further task is created, and those that exist keep
 * running; task_ids() lists those that were not returned yet.
 */
class batch {
public:
  /** Takes over a batch of C. */
  explicit batch(jfai_batch *b) noexcept : batch_(b) {}
  /**
   * The next one to end; none after the last. When `cancel` ends this call, the batch can be resumed, and the error lists the tasks
   * that were created and not returned yet: error::task_ids().
   */
  std::optional<batch_result> next(const cancel_token *cancel = nullptr) {
    jfai_result *out = nullptr;
    detail::done([&](jfai_error **e) { return jfai_batch_next(batch_.get(), detail::raw(cancel), &out, e); });
    if (out == nullptr) return std::nullopt;
    batch_result r;
    r.result.reset(out);
    r.index = jfai_result_index(out);
    r.task_id = detail::maybe(jfai_result_task_id(out));
    r.ok = jfai_result_video(out) != nullptr || jfai_result_summary(out) != nullptr;
    r.message = detail::text(jfai_error_message(jfai_result_error(out)));
    r.status = jfai_error_status(jfai_result_error(out));
    if (const auto *e = jfai_result_error(out)) r.error = junfeiai::error::copy_of(e);
    return r;
  }
  /** Stops creating: next() returns the requests that were not sent as cancelled, and waits for what was sent before. */
  void stop() {
    detail::done([&](jfai_error **e) { return jfai_batch_stop(batch_.get(), e); });
  }
  /** The tasks of client::generate_many() that exist and were not returned by next() yet. */
  std::vector<std::string> task_ids() const {
    jfai_names *out = nullptr;
    detail::done([&](jfai_error **e) { return jfai_batch_task_ids(batch_.get(), &out, e); });
    return detail::names(out);
  }
  /** True while a create request was sent and its outcome is not known: a task may exist that task_ids() does not list. */
  bool maybe_executed() const noexcept { return jfai_batch_maybe_executed(batch_.get()); }

private:
  detail::handle<jfai_batch, jfai_batch_free> batch_;
};

/** One object for one key. Any number of threads may use it at the same time. */
class client {
public:
  /** A client with these options. */
  explicit client(const client_options &options) {
    jfai_client *out = nullptr;
    detail::done([&](jfai_error **e) { return jfai_client_new(options.get(), &out, e); });
    client_.reset(out);
  }
  /** A client for this key with every default. */
  explicit client(text_view api_key) : client(client_options().api_key(api_key)) {}
  /** A client from JUNFEIAI_API_KEY, JUNFEIAI_BASE_URL and JUNFEIAI_VIDEO_BASE_URL. */
  static client from_env() { return client(client_options().use_env()); }
  /** The endpoint that is used, as a URL. */
  std::string_view endpoint() const noexcept { return detail::view(jfai_client_endpoint(client_.get())); }

  /** Creates a task. This costs money; it is sent at most once. */
  result<task> try_create(const request &r, const cancel_token *cancel = nullptr) const {
    return detail::made<task, jfai_task>(detail::refused(cancel), [&](jfai_task **out, jfai_error **e) {
      return jfai_create(client_.get(), r.get(), detail::raw(cancel), out, e);
    });
  }
  /** try_create() that throws. */
  [[nodiscard]] task create(const request &r, const cancel_token *cancel = nullptr) const { return try_create(r, cancel).value(); }
  /** create() without blocking: `f(result<task>)` is called on the library's thread, or where `queue` is drained. */
  template <class F, class = std::enable_if_t<std::is_invocable_v<F &, result<task>>>>
  void create_async(const request &r, F f, const cancel_token *cancel = nullptr,
                    const event_queue *queue = nullptr) const {
    create_with(r, detail::plain<task>(std::move(f)), cancel, queue);
  }
  /** create() without blocking. */
  [[nodiscard]] std::future<task> create_async(const request &r, const cancel_token *cancel = nullptr) const {
    auto [future, f] = detail::promise<task>();
    create_with(r, std::move(f), cancel, nullptr);
    return std::move(future);
  }

  /** Queries a task's state. */
  result<task> try_get(text_view id, const cancel_token *cancel = nullptr) const {
    return detail::made<task, jfai_task>(detail::either(detail::refused(id, "id"), detail::refused(cancel)), [&](jfai_task **out, jfai_error **e) {
      return jfai_get(client_.get(), detail::c_text(id, "id").c_str(), detail::raw(cancel), out, e);
    });
  }
  /** try_get() that throws. */
  task get(text_view id, const cancel_token *cancel = nullptr) const { return try_get(id, cancel).value(); }
  /** get() without blocking. */
  [[nodiscard]] std::future<task> get_async(text_view id, const cancel_token *cancel = nullptr) const {
    auto [future, f] = detail::promise<task>();
    detail::start<task, jfai_task>(
        detail::no_state{}, detail::either(detail::refused(id, "id"), detail::refused(cancel)),
        [&](auto &, auto end, void *user, jfai_error **e) {
          return jfai_get_async(client_.get(), detail::c_text(id, "id").c_str(), detail::raw(cancel), nullptr, end, user, e);
        },
        std::move(f));
    return std::move(future);
  }
  /** A task by its id, without a query. */
  task task_by_id(text_view id) const {
    return detail::made<task, jfai_task>([&](jfai_task **out, jfai_error **e) {
             return jfai_task_by_id(client_.get(), detail::c_text(id, "id").c_str(), out, e);
           })
        .value();
  }

  /** One step of a durable wait, from the state of the step before: at most one query, and no sleeping. */
  result<wait_step> try_advance(text_view state, const cancel_token *cancel = nullptr) const {
    const auto bad = detail::either(detail::refused(state, "state"), detail::refused(cancel));
    return detail::made<wait_step, jfai_wait_step>(bad, [&](jfai_wait_step **out, jfai_error **e) {
      return jfai_advance(client_.get(), detail::c_text(state, "state").c_str(), detail::raw(cancel), out, e);
    });
  }
  /** try_advance() that throws. */
  [[nodiscard]] wait_step advance(text_view state, const cancel_token *cancel = nullptr) const {
    return try_advance(state, cancel).value();
  }
  /** advance() without blocking: `f(result<wait_step>)` is called on the library's thread, or where `queue` is drained. */
  template <class F, class = std::enable_if_t<std::is_invocable_v<F &, result<wait_step>>>>
  void advance_async(text_view state, F f, const cancel_token *cancel = nullptr,
                     const event_queue *queue = nullptr) const {
    advance_with(state, detail::plain<wait_step>(std::move(f)), cancel, queue);
  }
  /** advance() without blocking. */
  [[nodiscard]] std::future<wait_step> advance_async(text_view state, const cancel_token *cancel = nullptr) const {
    auto [future, f] = detail::promise<wait_step>();
    advance_with(state, std::move(f), cancel, nullptr);
    return std::move(future);
  }

  /** create() and wait() in one. This costs money. */
  result<video> try_generate(const request &r, wait_options options = {}, const cancel_token *cancel = nullptr) const {
    detail::wait_state state{std::move(options), nullptr};
    auto c = state.c();
    return detail::ended(detail::made<video, jfai_video>(detail::refused(cancel), [&](jfai_video **out, jfai_error **e) {
                           return jfai_generate(client_.get(), r.get(), c.get(), detail::raw(cancel), out, e);
                         }),
                         state);
  }
  /** try_generate() that throws. */
  [[nodiscard]] video generate(const request &r, wait_options options = {}, const cancel_token *cancel = nullptr) const {
    return try_generate(r, std::move(options), cancel).value();
  }
  /** generate() without blocking: `f(result<video>)` is called on the library's thread, or where `queue` is drained. */
  template <class F, class = std::enable_if_t<std::is_invocable_v<F &, result<video>>>>
  void generate_async(const request &r, wait_options options, F f, const cancel_token *cancel = nullptr,
                      const event_queue *queue = nullptr) const {
    generate_with(r, std::move(options), detail::plain<video>(std::move(f)), cancel, queue);
  }
  /** generate() without blocking. */
  [[nodiscard]] std::future<video> generate_async(const request &r, wait_options options = {},
                                    const cancel_token *cancel = nullptr) const {
    auto [future, f] = detail::promise<video>();
    generate_with(r, std::move(options), std::move(f), cancel, nullptr);
    return std::move(future);
  }

  /** The video of a task that is done, by the task's id. */
  video video_by_id(text_view id) const {
    return detail::made<video, jfai_video>([&](jfai_video **out, jfai_error **e) {
             return jfai_video_by_id(client_.get(), detail::c_text(id, "id").c_str(), out, e);
           })
        .value();
  }
  /** A video by its URL. */
  video video_at(text_view url) const {
    return detail::made<video, jfai_video>([&](jfai_video **out, jfai_error **e) {
             return jfai_video_at(client_.get(), detail::c_text(url, "url").c_str(), out, e);
           })
        .value();
  }
  /** Checks the service without creating anything. */
  report check(bool account = false, const cancel_token *cancel = nullptr) const {
    jfai_report *out = nullptr;
    detail::done([&](jfai_error **e) { return jfai_check(client_.get(), account, detail::raw(cancel), &out, e); });
    detail::handle<jfai_report, jfai_report_free> keep(out);
    return {jfai_report_ok(out), detail::text(jfai_report_text(out)), detail::text(jfai_report_json(out))};
  }
  /** The models that the key may use. */
  std::vector<std::string> models(const cancel_token *cancel = nullptr) const {
    jfai_names *out = nullptr;
    detail::done([&](jfai_error **e) { return jfai_models(client_.get(), detail::raw(cancel), &out, e); });
    return detail::names(out);
  }
  /** The key's balance. */
  junfeiai::balance balance(const cancel_token *cancel = nullptr) const {
    jfai_balance *out = nullptr;
    detail::done([&](jfai_error **e) { return jfai_get_balance(client_.get(), detail::raw(cancel), &out, e); });
    detail::handle<jfai_balance, jfai_balance_free> keep(out);
    junfeiai::balance b;
    b.used_usd = jfai_balance_used_usd(out);
    b.unlimited = jfai_balance_unlimited(out);
    if (!b.unlimited) b.available_usd = jfai_balance_available_usd(out);
    if (auto at = jfai_balance_expires_at(out); at >= 0)
      b.expires_at = std::chrono::system_clock::time_point(std::chrono::seconds(at));
    b.name = detail::maybe(jfai_balance_name(out));
    return b;
  }
  /** What create() with this request will cost, without creating anything. */
  junfeiai::estimate estimate(const request &r, const cancel_token *cancel = nullptr) const {
    jfai_estimate *out = nullptr;
    detail::done([&](jfai_error **e) { return jfai_get_estimate(client_.get(), r.get(), detail::raw(cancel), &out, e); });
    detail::handle<jfai_estimate, jfai_estimate_free> keep(out);
    junfeiai::estimate given;
    if (const auto units = jfai_estimate_units(out); units >= 0) given.units = units;
    if (const auto usd = jfai_estimate_usd(out); usd >= 0) given.usd = usd;
    given.certainty = detail::text(jfai_estimate_certainty(out));
    if (const auto most = jfai_estimate_units_at_most(out); most >= 0) given.units_at_most = most;
    given.billed_seconds = jfai_estimate_billed_seconds(out);
    given.json = detail::text(jfai_estimate_json(out));
    return given;
  }
  /** What was spent per UTC day and model from the day `since` (YYYY-MM-DD) on, as the journal says: see jfai_spending_json(). */
  std::string spending(const std::optional<std::string> &since = std::nullopt) const {
    const auto day = since ? std::optional<std::string>(detail::c_text(*since, "since")) : std::nullopt;
    jfai_spending *out = nullptr;
    detail::done([&](jfai_error **e) { return jfai_get_spending(client_.get(), day ? day->c_str() : nullptr, &out, e); });
    detail::handle<jfai_spending, jfai_spending_free> keep(out);
    return detail::text(jfai_spending_json(out));
  }
  /** Begins to wait for all these tasks; each comes as soon as it has ended. */
  [[nodiscard]] batch wait_all(const std::vector<std::string> &ids) const {
    std::vector<const char *> raw;
    for (const auto &id : ids) {
      detail::c_text(id, "an item of ids");
      raw.push_back(id.c_str());
    }
    jfai_batch *out = nullptr;
    detail::done([&](jfai_error **e) { return jfai_wait_all(client_.get(), raw.data(), raw.size(), &out, e); });
    return batch(out);
  }
  /** Begins to create a task for each request and to wait for its video, at most `concurrency` at a time. This costs money. */
  [[nodiscard]] batch generate_many(const std::vector<request> &requests, std::size_t concurrency) const {
    std::vector<const jfai_request *> raw;
    for (const auto &r : requests) raw.push_back(r.get());
    jfai_batch *out = nullptr;
    detail::done(
        [&](jfai_error **e) { return jfai_generate_many(client_.get(), raw.data(), raw.size(), concurrency, &out, e); });
    return batch(out);
  }
  /** The unfinished tasks and create requests of the client's journal. */
  std::vector<pending> list_pending() const {
    jfai_pending *out = nullptr;
    detail::done([&](jfai_error **e) { return jfai_list_pending(client_.get(), &out, e); });
    detail::handle<jfai_pending, jfai_pending_free> keep(out);
    std::vector<pending> list;
    for (std::size_t i = 0; i < jfai_pending_count(out); ++i) {
      pending p;
      p.state = static_cast<pending_state>(jfai_pending_state(out, i));
      p.task_id = detail::maybe(jfai_pending_task_id(out, i));
      p.intent = detail::maybe(jfai_pending_intent(out, i));
      p.model = detail::text(jfai_pending_model(out, i));
      p.seconds = detail::maybe(jfai_pending_seconds(out, i));
      p.reason = detail::maybe(jfai_pending_reason(out, i));
      p.fingerprint = detail::maybe(jfai_pending_fingerprint(out, i));
      p.prompt = detail::maybe(jfai_pending_prompt(out, i));
      p.key = detail::maybe(jfai_pending_key(out, i));
      p.created_at = std::chrono::system_clock::time_point(std::chrono::seconds(jfai_pending_created_at(out, i)));
      list.push_back(std::move(p));
    }
    return list;
  }
  /** Finds out what became of the create requests whose response was lost, and records it in the journal. */
  reconciliation reconcile() const {
    jfai_reconciliation *out = nullptr;
    detail::done([&](jfai_error **e) { return jfai_reconcile(client_.get(), &out, e); });
    return reconciled(out);
  }
  /**
   * reconcile() with the access token of the account, which finds the ids of lost tasks as well, and with the account's number, which
   * older servers want. The token is a stronger secret than an API key: it is held for this call alone.
   */
  reconciliation reconcile(text_view account_token, std::optional<std::string_view> account_user = std::nullopt) const {
    const auto token = detail::c_text(account_token, "account_token");
    const auto user = account_user ? std::optional<std::string>(detail::c_text(*account_user, "account_user")) : std::nullopt;
    jfai_reconciliation *out = nullptr;
    detail::done([&](jfai_error **e) {
      return jfai_reconcile_with(client_.get(), token.c_str(), user ? user->c_str() : nullptr, &out, e);
    });
    return reconciled(out);
  }
  /** What the journal knows of a key; nothing when nothing was created under it. Sends no request. */
  std::optional<key_record> find_key(text_view key) const {
    jfai_key_record *out = nullptr;
    detail::done([&](jfai_error **e) { return jfai_find_key(client_.get(), detail::c_text(key, "key").c_str(), &out, e); });
    if (out == nullptr) return std::nullopt;
    detail::handle<jfai_key_record, jfai_key_record_free> keep(out);
    key_record record;
    record.state = static_cast<key_state>(jfai_key_state(out));
    record.attempt = jfai_key_attempt(out);
    record.task_id = detail::maybe(jfai_key_task_id(out));
    record.intent = detail::text(jfai_key_intent(out));
    if (const auto *path = jfai_key_path(out)) record.path = detail::path(path);
    record.created_at = std::chrono::system_clock::time_point(std::chrono::seconds(jfai_key_created_at(out)));
    return record;
  }
  /** Begins to wait for all pending tasks and to save them in this folder. */
  [[nodiscard]] batch resume_pending(const std::filesystem::path &folder) const {
    jfai_batch *out = nullptr;
    detail::done(
        [&](jfai_error **e) { return jfai_resume_pending(client_.get(), detail::path(folder, "folder").c_str(), &out, e); });
    return batch(out);
  }
  /**
   * Judges where a video that does not exist yet shall be saved, and how; throws what is wrong. Call it before generate(), which is paid
   * for. It sends nothing and leaves nothing behind. An answer for this moment: the disk may be full when the video is there.
   */
  void check_save(const std::filesystem::path &file, save_options options = {}) const {
    detail::save_state state{std::move(options), nullptr, std::nullopt};
    const auto c = state.c();
    detail::done([&](jfai_error **e) { return jfai_check_save(client_.get(), detail::path(file, "file").c_str(), c.get(), e); });
  }
  /** Removes a task from the journal's list; false when it is not on it. */
  bool forget(text_view task_id) const {
    bool found = false;
    detail::done([&](jfai_error **e) { return jfai_forget(client_.get(), detail::c_text(task_id, "task_id").c_str(), &found, e); });
    return found;
  }
  /** Marks a create request whose outcome was unknown as resolved, with the task that you found in the account, or none. */
  bool resolve_unknown(text_view intent, const std::optional<std::string> &task_id = std::nullopt) const {
    bool found = false;
    detail::done([&](jfai_error **e) {
      const auto id = task_id ? detail::c_text(*task_id, "task_id") : std::string();
      return jfai_resolve_unknown(client_.get(), detail::c_text(intent, "intent").c_str(), task_id ? id.c_str() : nullptr,
                                  &found, e);
    });
    return found;
  }
  /** The handle of C. */
  const jfai_client *raw() const noexcept { return client_.get(); }

private:
  static reconciliation reconciled(jfai_reconciliation *out) {
    detail::handle<jfai_reconciliation, jfai_reconciliation_free> keep(out);
    reconciliation found;
    if (const auto ms = jfai_reconciliation_retry_after_ms(out); ms >= 0) found.retry_after = std::chrono::milliseconds(ms);
    for (std::size_t i = 0; i < jfai_reconciliation_count(out); ++i) {
      settled s;
      s.verdict = static_cast<verdict>(jfai_settled_verdict(out, i));
      s.reason = detail::text(jfai_settled_reason(out, i));
      s.intent = detail::text(jfai_settled_intent(out, i));
      s.key = detail::maybe(jfai_settled_key(out, i));
      s.model = detail::text(jfai_settled_model(out, i));
      s.seconds = detail::maybe(jfai_settled_seconds(out, i));
      s.task_id = detail::maybe(jfai_settled_task_id(out, i));
      s.request_id = detail::maybe(jfai_settled_request_id(out, i));
      if (const auto units = jfai_settled_charged_units(out, i); units >= 0) s.charged_units = units;
      s.created_at = std::chrono::system_clock::time_point(std::chrono::seconds(jfai_settled_created_at(out, i)));
      found.entries.push_back(std::move(s));
    }
    return found;
  }
  void create_with(const request &r, std::function<void(result<task>)> f,
                   const cancel_token *cancel, const event_queue *queue) const {
    detail::start<task, jfai_task>(
        detail::no_state{}, detail::either(detail::refused(cancel), detail::refused(queue)),
        [&](auto &, auto end, void *user, jfai_error **e) {
          return jfai_create_async(client_.get(), r.get(), detail::raw(cancel), detail::raw(queue), end, user, e);
        },
        std::move(f));
  }
  void advance_with(text_view state, std::function<void(result<wait_step>)> f,
                    const cancel_token *cancel, const event_queue *queue) const {
    detail::start<wait_step, jfai_wait_step>(
        detail::no_state{}, detail::either(detail::refused(state, "state"), detail::either(detail::refused(cancel), detail::refused(queue))),
        [&](auto &, auto end, void *user, jfai_error **e) {
          return jfai_advance_async(client_.get(), detail::c_text(state, "state").c_str(), detail::raw(cancel),
                                    detail::raw(queue), end, user, e);
        },
        std::move(f));
  }
  void generate_with(const request &r, wait_options options,
                     std::function<void(result<video>)> f, const cancel_token *cancel,
                     const event_queue *queue) const {
    detail::start<video, jfai_video>(
        detail::wait_state{std::move(options), nullptr}, detail::either(detail::refused(cancel), detail::refused(queue)),
        [&](auto &o, auto end, void *user, jfai_error **e) {
          auto c = o.state.c();
          return jfai_generate_async(client_.get(), r.get(), c.get(), detail::raw(cancel), detail::raw(queue), end,
                                     user, e);
        },
        std::move(f));
  }
  detail::handle<jfai_client, jfai_client_free> client_;
};

} // namespace junfeiai

#endif // JUNFEIAI_HPP
