// Calls a CSI driver as its real callers do: volumes are made and deleted over one connection, as by csi-provisioner; each call of a
// node has a connection of its own, as by the kubelet (pkg/volume/csi/csi_client.go). Its argument is the driver's socket. For each line
// of JSON that it reads, it takes volumes all the way up and back, and writes a line with the milliseconds that took.
package main

import (
	"context"
	"encoding/json"
	"log"
	"os"
	"sync"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// volume is one to be made, and the kubelet's paths for it.
type volume struct {
	Name, Staging, Target string
	id                    string
}

// lives are volumes of so many bytes, so many of them handled at once.
type lives struct {
	Volumes []*volume
	Bytes   int64
	AtOnce  int
}

// times are milliseconds: create, stage and publish of all, and unpublish, unstage and delete of all.
type times struct {
	Up   float64 `json:"up"`
	Down float64 `json:"down"`
}

type caller struct {
	socket     string
	controller csi.ControllerClient
}

var xfs = &csi.VolumeCapability{
	AccessType: &csi.VolumeCapability_Mount{Mount: &csi.VolumeCapability_MountVolume{FsType: "xfs"}},
	AccessMode: &csi.VolumeCapability_AccessMode{Mode: csi.VolumeCapability_AccessMode_SINGLE_NODE_WRITER},
}

func dial(socket string) (*grpc.ClientConn, error) {
	return grpc.NewClient("unix://"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
}

// onNode makes one call as the kubelet does.
func (c *caller) onNode(call func(csi.NodeClient) error) error {
	connection, err := dial(c.socket)
	if err != nil {
		return err
	}
	defer connection.Close()
	return call(csi.NewNodeClient(connection))
}

func (c *caller) up(ctx context.Context, v *volume, bytes int64) error {
	made, err := c.controller.CreateVolume(ctx, &csi.CreateVolumeRequest{
		Name:               v.Name,
		CapacityRange:      &csi.CapacityRange{RequiredBytes: bytes},
		VolumeCapabilities: []*csi.VolumeCapability{xfs},
	})
	if err != nil {
		return err
	}
	v.id = made.GetVolume().GetVolumeId()
	err = c.onNode(func(node csi.NodeClient) error {
		_, err := node.NodeStageVolume(ctx, &csi.NodeStageVolumeRequest{
			VolumeId: v.id, StagingTargetPath: v.Staging, VolumeCapability: xfs,
		})
		return err
	})
	if err != nil {
		return err
	}
	return c.onNode(func(node csi.NodeClient) error {
		_, err := node.NodePublishVolume(ctx, &csi.NodePublishVolumeRequest{
			VolumeId: v.id, StagingTargetPath: v.Staging, TargetPath: v.Target, VolumeCapability: xfs,
		})
		return err
	})
}

func (c *caller) down(ctx context.Context, v *volume) error {
	err := c.onNode(func(node csi.NodeClient) error {
		_, err := node.NodeUnpublishVolume(ctx, &csi.NodeUnpublishVolumeRequest{VolumeId: v.id, TargetPath: v.Target})
		return err
	})
	if err != nil {
		return err
	}
	err = c.onNode(func(node csi.NodeClient) error {
		_, err := node.NodeUnstageVolume(ctx, &csi.NodeUnstageVolumeRequest{VolumeId: v.id, StagingTargetPath: v.Staging})
		return err
	})
	if err != nil {
		return err
	}
	_, err = c.controller.DeleteVolume(ctx, &csi.DeleteVolumeRequest{VolumeId: v.id})
	return err
}

// timed does the work for all volumes, so many at once, and returns its milliseconds.
func (l *lives) timed(work func(*volume) error) float64 {
	began := time.Now()
	next := make(chan *volume)
	var workers sync.WaitGroup
	for range l.AtOnce {
		workers.Go(func() {
			for v := range next {
				if err := work(v); err != nil {
					log.Fatalf("%s: %v", v.Name, err)
				}
			}
		})
	}
	for _, v := range l.Volumes {
		next <- v
	}
	close(next)
	workers.Wait()
	return float64(time.Since(began).Nanoseconds()) / 1e6
}

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: csicaller SOCKET")
	}
	socket := os.Args[1]
	connection, err := dial(socket)
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	c := &caller{socket: socket, controller: csi.NewControllerClient(connection)}
	input, output := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for input.More() {
		var l lives
		if err := input.Decode(&l); err != nil {
			log.Fatal(err)
		}
		var t times
		t.Up = l.timed(func(v *volume) error { return c.up(ctx, v, l.Bytes) })
		t.Down = l.timed(func(v *volume) error { return c.down(ctx, v) })
		if err := output.Encode(t); err != nil {
			log.Fatal(err)
		}
	}
}
