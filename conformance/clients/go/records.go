package main

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const lineBytesMax = 1 << 20

// null or the bytes; an empty field is empty and not null.
func parseBytes(field string) ([]byte, error) {
	if field == "-" {
		return nil, nil
	}
	bytes, err := hex.DecodeString(field)
	if bytes == nil {
		bytes = []byte{}
	}
	return bytes, err
}

func formatBytes(bytes []byte) string {
	if bytes == nil {
		return "-"
	}
	return hex.EncodeToString(bytes)
}

func parseHeaders(field string) ([]kgo.RecordHeader, error) {
	if field == "" {
		return nil, nil
	}
	var headers []kgo.RecordHeader
	for _, pair := range strings.Split(field, ",") {
		name, value, _ := strings.Cut(pair, ":")
		key, err := hex.DecodeString(name)
		if err != nil {
			return nil, err
		}
		bytes, err := parseBytes(value)
		if err != nil {
			return nil, err
		}
		headers = append(headers, kgo.RecordHeader{Key: string(key), Value: bytes})
	}
	return headers, nil
}

func parseRecord(topic, line string) (*kgo.Record, error) {
	fields := strings.Split(line, "\t")
	if len(fields) != 5 {
		return nil, fmt.Errorf("%d fields: %.100s", len(fields), line)
	}
	partition, err := strconv.Atoi(fields[0])
	if err != nil {
		return nil, err
	}
	record := &kgo.Record{Topic: topic, Partition: int32(partition)}
	if fields[1] != "-" {
		ms, err := strconv.ParseInt(fields[1], 10, 64)
		if err != nil {
			return nil, err
		}
		record.Timestamp = time.UnixMilli(ms)
	}
	if record.Key, err = parseBytes(fields[2]); err != nil {
		return nil, err
	}
	if record.Value, err = parseBytes(fields[3]); err != nil {
		return nil, err
	}
	record.Headers, err = parseHeaders(fields[4])
	return record, err
}

// load reads what is to be written.
func load(topic, path string) ([]*kgo.Record, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, lineBytesMax)
	var records []*kgo.Record
	for lines.Scan() {
		record, err := parseRecord(topic, lines.Text())
		if err != nil {
			return nil, err
		}
		records = append(records, record)
	}
	return records, lines.Err()
}

// writer prints what was read.
type writer struct {
	file  *os.File
	lines *bufio.Writer
}

func newWriter(path string) (*writer, error) {
	file, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	return &writer{file, bufio.NewWriter(file)}, nil
}

// write keeps the first error for flush, as bufio does.
func (w *writer) write(r *kgo.Record) {
	headers := make([]string, len(r.Headers))
	for i, header := range r.Headers {
		headers[i] = hex.EncodeToString([]byte(header.Key)) + ":" + formatBytes(header.Value)
	}
	fmt.Fprintf(w.lines, "%d\t%d\t%d\t%s\t%s\t%s\n", r.Partition, r.Offset, r.Timestamp.UnixMilli(), formatBytes(r.Key),
		formatBytes(r.Value), strings.Join(headers, ","))
}

func (w *writer) flush() error { return w.lines.Flush() }

func (w *writer) close() { w.file.Close() }
