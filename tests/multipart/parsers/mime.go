// Does what read_form.py does, with mime/multipart.
package main

import (
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"os"
)

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func shown(text string) string {
	return fmt.Sprintf("%x.", text)
}

func main() {
	_, parameters, err := mime.ParseMediaType(os.Args[1])
	must(err)
	reader := multipart.NewReader(os.Stdin, parameters["boundary"])
	for {
		part, err := reader.NextRawPart()
		if err == io.EOF {
			return
		}
		must(err)
		content, err := io.ReadAll(part)
		must(err)
		_, names, err := mime.ParseMediaType(part.Header.Get("Content-Disposition"))
		must(err)
		fileName, isFile := names["filename"]
		if isFile {
			mediaType := part.Header.Get("Content-Type")
			fmt.Println(shown(names["name"]), shown(fileName), shown(mediaType), shown(string(content)))
		} else {
			fmt.Println(shown(names["name"]), "-", "-", shown(string(content)))
		}
	}
}
