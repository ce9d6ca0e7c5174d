/* FFmpeg reads a video of the service without a file: ffmpeg_reader task_… */
#include <junfeiai.h>
#include <libavformat/avformat.h>
#include <stdio.h>
#include <stdlib.h>

static int on_read(void *opaque, uint8_t *buffer, int size) {
  size_t got = 0;
  if (jfai_reader_read(opaque, buffer, (size_t)size, &got, NULL) != JFAI_OK) return AVERROR(EIO);
  return got == 0 ? AVERROR_EOF : (int)got;
}

static int64_t on_seek(void *opaque, int64_t offset, int whence) {
  uint64_t place = 0;
  const jfai_status status = whence & AVSEEK_SIZE ? jfai_reader_size(opaque, &place, NULL)
                                                  : jfai_reader_seek(opaque, offset, whence & ~AVSEEK_FORCE, &place, NULL);
  return status == JFAI_OK ? (int64_t)place : AVERROR(EIO);
}

int main(int count, char **arguments) {
  if (count != 2) {
    fprintf(stderr, "usage: ffmpeg_reader TASK_ID\n");
    return 2;
  }
  jfai_error *err = NULL;
  jfai_client *client = NULL;
  jfai_video *video = NULL;
  jfai_reader *reader = NULL;
  if (jfai_client_from_env(&client, &err) != JFAI_OK || jfai_video_by_id(client, arguments[1], &video, &err) != JFAI_OK ||
      jfai_reader_open(video, NULL, &reader, &err) != JFAI_OK) {
    fprintf(stderr, "error: %s\n", jfai_error_message(err));
    jfai_error_free(err);
    jfai_video_free(video);
    jfai_client_free(client);
    return EXIT_FAILURE;
  }
  AVIOContext *io = avio_alloc_context(av_malloc(32768), 32768, 0, reader, on_read, NULL, on_seek);
  AVFormatContext *format = avformat_alloc_context();
  format->pb = io;
  int frames = 0;
  if (avformat_open_input(&format, NULL, NULL, NULL) == 0 && avformat_find_stream_info(format, NULL) >= 0) {
    const AVCodecParameters *picture = format->streams[0]->codecpar;
    printf("%s, %dx%d, %.2f s\n", format->iformat->name, picture->width, picture->height, (double)format->duration / AV_TIME_BASE);
    AVPacket *packet = av_packet_alloc();
    /* To the middle and on to the end. */
    av_seek_frame(format, -1, format->duration / 2, AVSEEK_FLAG_BACKWARD);
    while (av_read_frame(format, packet) == 0) {
      frames++;
      av_packet_unref(packet);
    }
    av_packet_free(&packet);
    printf("%d frames from the middle to the end\n", frames);
  }
  avformat_close_input(&format);
  av_freep(&io->buffer);
  avio_context_free(&io);
  jfai_reader_free(reader);
  jfai_video_free(video);
  jfai_client_free(client);
  return frames > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
